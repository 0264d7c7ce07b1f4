"""When how much of an order is due: each algorithm is a schedule, and SWEEP sends what is due.

sweep       all at once
twap        equal slices in time
shortfall   the Almgren-Chriss schedule
"""
