"""The Python generated from DragonflyBot's contracts with bots.

`orderbook_pb2` and `market_data_pb2` are written by `protos/generate.py`; messages and descriptors
only. A service's methods are in its descriptor:
`market_data_pb2.DESCRIPTOR.services_by_name["MarketData"].methods`.
"""
