"""The messages of FIX 4.4 that are spoken here, those of order sessions included. Pure.

A client's dictionary of the whole of FIX 4.4 knows all of them. What else it may know is refused
by name: an order whose field is passed over would be another order.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Final

from dragonfly_fix.dictionary import Dictionary

__all__ = [
    "COMPONENTS",
    "FIELDS",
    "FIX44",
    "HEADER",
    "KNOWN_TYPES",
    "MESSAGES",
    "TRAILER",
    "MsgType",
]


class MsgType:
    """MsgType (35) of what the session itself sends, and of the refusal of application messages."""

    HEARTBEAT: Final = b"0"
    TEST_REQUEST: Final = b"1"
    RESEND_REQUEST: Final = b"2"
    REJECT: Final = b"3"
    SEQUENCE_RESET: Final = b"4"
    LOGOUT: Final = b"5"
    LOGON: Final = b"A"
    BUSINESS_REJECT: Final = b"j"


FIELDS: Final = """
    1 Account STRING
    6 AvgPx PRICE
    7 BeginSeqNo SEQNUM
    11 ClOrdID STRING
    14 CumQty QTY
    15 Currency CURRENCY
    16 EndSeqNo SEQNUM
    17 ExecID STRING
    18 ExecInst MULTIPLEVALUESTRING 0-9 A-S U-Z a-e
    19 ExecRefID STRING
    21 HandlInst CHAR 1-3
    22 SecurityIDSource STRING 1-9 A-J
    30 LastMkt EXCHANGE
    31 LastPx PRICE
    32 LastQty QTY
    33 NoLinesOfText NUMINGROUP
    34 MsgSeqNum SEQNUM
    36 NewSeqNo SEQNUM
    37 OrderID STRING
    38 OrderQty QTY
    39 OrdStatus CHAR 0-4 6-9 A-E
    40 OrdType CHAR 1-4 6-9 D E G I-M P
    41 OrigClOrdID STRING
    42 OrigTime UTCTIMESTAMP
    43 PossDupFlag BOOLEAN
    44 Price PRICE
    45 RefSeqNum SEQNUM
    48 SecurityID STRING
    49 SenderCompID STRING
    50 SenderSubID STRING
    52 SendingTime UTCTIMESTAMP
    54 Side CHAR 1-9 A-G
    55 Symbol STRING
    56 TargetCompID STRING
    57 TargetSubID STRING
    58 Text STRING
    59 TimeInForce CHAR 0-7
    60 TransactTime UTCTIMESTAMP
    61 Urgency CHAR 0-2
    75 TradeDate LOCALMKTDATE
    89 Signature DATA
    90 SecureDataLen LENGTH
    91 SecureData DATA
    93 SignatureLength LENGTH
    95 RawDataLength LENGTH
    96 RawData DATA
    97 PossResend BOOLEAN
    98 EncryptMethod INT 0-6
    99 StopPx PRICE
    100 ExDestination EXCHANGE
    102 CxlRejReason INT 0-6 99
    103 OrdRejReason INT 0-11 13-15 99
    108 HeartBtInt INT
    110 MinQty QTY
    111 MaxFloor QTY
    112 TestReqID STRING
    115 OnBehalfOfCompID STRING
    116 OnBehalfOfSubID STRING
    122 OrigSendingTime UTCTIMESTAMP
    123 GapFillFlag BOOLEAN
    126 ExpireTime UTCTIMESTAMP
    128 DeliverToCompID STRING
    129 DeliverToSubID STRING
    136 NoMiscFees NUMINGROUP
    137 MiscFeeAmt AMT
    138 MiscFeeCurr CURRENCY
    139 MiscFeeType STRING 1-12
    141 ResetSeqNumFlag BOOLEAN
    142 SenderLocationID STRING
    143 TargetLocationID STRING
    144 OnBehalfOfLocationID STRING
    145 DeliverToLocationID STRING
    146 NoRelatedSym NUMINGROUP
    148 Headline STRING
    150 ExecType CHAR 0 3-9 A-I
    151 LeavesQty QTY
    152 CashOrderQty QTY
    167 SecurityType STRING CS FOR FORWARD FUT MLEG NONE OPT
    168 EffectiveTime UTCTIMESTAMP
    198 SecondaryOrderID STRING
    207 SecurityExchange EXCHANGE
    212 XmlDataLen LENGTH
    213 XmlData DATA
    262 MDReqID STRING
    263 SubscriptionRequestType CHAR 0-2
    264 MarketDepth INT
    265 MDUpdateType INT 0 1
    266 AggregatedBook BOOLEAN
    267 NoMDEntryTypes NUMINGROUP
    268 NoMDEntries NUMINGROUP
    269 MDEntryType CHAR 0-9 A-C
    270 MDEntryPx PRICE
    271 MDEntrySize QTY
    272 MDEntryDate UTCDATEONLY
    273 MDEntryTime UTCTIMEONLY
    274 TickDirection CHAR 0-3
    275 MDMkt EXCHANGE
    276 QuoteCondition MULTIPLEVALUESTRING A-I
    277 TradeCondition MULTIPLEVALUESTRING A-N P-R
    278 MDEntryID STRING
    279 MDUpdateAction CHAR 0-2
    280 MDEntryRefID STRING
    281 MDReqRejReason CHAR 0-9 A-C
    282 MDEntryOriginator STRING
    285 DeleteReason CHAR 0 1
    286 OpenCloseSettlFlag MULTIPLEVALUESTRING 0-5
    288 MDEntryBuyer STRING
    289 MDEntrySeller STRING
    290 MDEntryPositionNo INT
    291 FinancialStatus MULTIPLEVALUESTRING 1 2
    292 CorporateAction MULTIPLEVALUESTRING A-E
    299 QuoteEntryID STRING
    320 SecurityReqID STRING
    322 SecurityResponseID STRING
    324 SecurityStatusReqID STRING
    325 UnsolicitedIndicator BOOLEAN
    326 SecurityTradingStatus INT 1-10 12-23
    327 HaltReasonChar CHAR D E I M P X
    336 TradingSessionID STRING
    346 NumberOfOrders INT
    347 MessageEncoding STRING UTF-8
    354 EncodedTextLen LENGTH
    355 EncodedText DATA
    369 LastMsgSeqNumProcessed SEQNUM
    371 RefTagID INT
    372 RefMsgType STRING
    373 SessionRejectReason INT 0-17 99
    376 ComplianceID STRING
    378 ExecRestatementReason INT 0-10 99
    379 BusinessRejectRefID STRING
    380 BusinessRejectReason INT 0-7
    383 MaxMessageSize LENGTH
    386 NoTradingSessions NUMINGROUP
    393 TotNoRelatedSym INT
    423 PriceType INT 1-11
    432 ExpireDate LOCALMKTDATE
    434 CxlRejResponseTo CHAR 1 2
    447 PartyIDSource CHAR 1-9 A-I
    448 PartyID STRING
    452 PartyRole INT 1-22 24-38
    453 NoPartyIDs NUMINGROUP
    460 Product INT 1-13
    461 CFICode STRING
    464 TestMessageIndicator BOOLEAN
    526 SecondaryClOrdID STRING
    527 SecondaryExecID STRING
    528 OrderCapacity CHAR A G I P R W
    529 OrderRestrictions MULTIPLEVALUESTRING 1-9 A
    530 MassCancelRequestType CHAR 1-7
    531 MassCancelResponse CHAR 0-7
    532 MassCancelRejectReason STRING 0-6 99
    533 TotalAffectedOrders INT
    534 NoAffectedOrders NUMINGROUP
    535 AffectedOrderID STRING
    536 AffectedSecondaryOrderID STRING
    546 Scope MULTIPLEVALUESTRING 1-3
    547 MDImplicitDelete BOOLEAN
    553 Username STRING
    554 Password STRING
    559 SecurityListRequestType INT 0-4
    560 SecurityRequestResult INT 0-5
    561 RoundLot QTY
    562 MinTradeVol QTY
    581 AccountType INT 1-4 6-8
    582 CustOrderCapacity INT 1-4
    583 ClOrdLinkID STRING
    584 MassStatusReqID STRING
    585 MassStatusReqType INT 1-8
    625 TradingSessionSubID STRING
    636 WorkingIndicator BOOLEAN
    660 AcctIDSource INT 1-5 99
    789 NextExpectedMsgSeqNum SEQNUM
    790 OrdStatusReqID STRING
    816 NoAltMDSource NUMINGROUP
    817 AltMDSourceID STRING
    847 TargetStrategy INT
    848 TargetStrategyParameters STRING
    849 ParticipationRate PERCENTAGE
    851 LastLiquidityInd INT 1-3
    891 MiscFeeBasis INT 0-2
    893 LastFragment BOOLEAN
    911 TotNumReports INT
    912 LastRptRequested BOOLEAN
    957 NoStrategyParameters NUMINGROUP
    958 StrategyParameterName STRING
    959 StrategyParameterType INT
    960 StrategyParameterValue STRING
"""
"""847 has bilateral values from 1000 on. 957 to 960 come from FIX 5.0, and are accepted."""

COMPONENTS: Final = {
    "instrument": "55 48 22 460 461 167 207",
    "parties": "453(448 447 452)",
    "quantity": "38 152",
    "strategy": "847 848 849 957(958! 959 960)",
    "text": "58 354 355",
    "order": (
        "526 583 parties 1 660 581 21 18 110 111 instrument quantity 423 44 99 15 376 59 168 126"
        " 432 528 529 582 strategy text"
    ),
    "report": (
        "198 527 11 41 790 584 911 912 19 636 103 378 40 32 31 30 336 625 75 60 851"
        " 136(137 138 139 891)"
    ),
    "entry": "270 15 271 272 273 274 275 276 277 282 299 288 289 346 290 58 354 355",
}

HEADER: Final = (
    "49! 56! 34! 52! 43 97 122 115 116 144 128 129 145 50 142 57 143 90 91 212 213 347 369"
)
TRAILER: Final = "93 89"

MESSAGES: Final = """
    0 Heartbeat: 112
    1 TestRequest: 112!
    2 ResendRequest: 7! 16!
    3 Reject: 45! 371 372 373 text
    4 SequenceReset: 123 36!
    5 Logout: text
    A Logon: 98! 108! 95 96 141 789 383 464 553 554
    B News: 42 61 148! 33!(58! 354 355) 146(instrument)
    V MarketDataRequest: 262! 263! 264! 265 266 286 546 547 267!(269!) 146!(55! instrument)
    W MarketDataSnapshotFullRefresh: 262 55! instrument 291 292 268!(269! entry)
    X MarketDataIncrementalRefresh: 262 268!(279! 285 269 278 280 instrument 291 292 entry)
    Y MarketDataRequestReject: 262! 281 816(817) text
    e SecurityStatusRequest: 324! 55! instrument 263! 336 625
    f SecurityStatus: 324 55! instrument 336 625 325 326 291 292 327 31 60 text
    x SecurityListRequest: 320! 559! instrument 15 336 625 263 text
    y SecurityList: 320! 322! 560! 393 893 146(instrument 15 561 562 336 625 58)
    j BusinessMessageReject: 45 372! 379 380! text
    D NewOrderSingle: 11! 55! 54! 60! 40! order 100 386(336 625)
    F OrderCancelRequest: 41! 37 11! 526 583 1 660 parties 55! instrument 54! 60! quantity 376 text
    G OrderCancelReplaceRequest: 37 41! 11! 55! 54! 60! 40! order 100 386(336 625)
    H OrderStatusRequest: 37 11! 526 583 parties 790 1 660 55! instrument 54!
    q OrderMassCancelRequest: 11! 526 530! 336 625 instrument 54 60! text
    r OrderMassCancelReport: 11 526 37! 198 530! 531! 532 533 534(41 535 536) instrument 54 60 text
    AF OrderMassStatusRequest: 584! 585! parties 1 660 336 625 instrument 54
    8 ExecutionReport: 37! 17! 150! 39! 55! 54! 151! 14! 6! order report
    9 OrderCancelReject: 37! 198 526 11! 583 41! 39! 636 1 660 60 434! 102 text
"""

KNOWN_TYPES: Final = frozenset(
    [
        *"0123456789",
        *set(ascii_uppercase) - set("IOU"),
        *ascii_lowercase,
        *("A" + letter for letter in ascii_uppercase),
        *("B" + letter for letter in "ABCDEFGH"),
    ]
)

FIX44: Final = Dictionary(
    fields=FIELDS,
    components=COMPONENTS,
    header=HEADER,
    trailer=TRAILER,
    messages=MESSAGES,
    known_types=KNOWN_TYPES,
)
