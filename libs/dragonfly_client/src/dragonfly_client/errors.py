"""The errors of the client, as one tree; whether asking again can help is the error's property.

ClientError
├── UnavailableError        no gateway answers; streams that once worked reconnect instead
│   ├── NotReadyError           the gateway is still starting
│   ├── CertificateError        a certificate is not accepted, or only the bot encrypts
│   └── UnknownOutcomeError     an order or a change of one may have been carried out, or not
├── ProtocolError           the gateway sent bytes that mean nothing to this version
├── SettingError            an argument of the client that cannot be used
└── RefusedError            the gateway says no, in one sentence; asking again will not help
    ├── InvalidRequestError     a malformed instrument, a depth out of range
    ├── NotFoundError           no venue lists the instrument
    ├── AccessError             a missing, wrong or insufficient token or certificate
    ├── LimitError              too many streams or instruments for one bot; a limit on orders
    ├── DuplicateError          the client_id names another order
    └── UnsupportedError        the gateway does not offer this method
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

import grpc

from dragonfly_client._printable import LONGEST_SENTENCE, printable

__all__ = [
    "AccessError",
    "CertificateError",
    "ClientError",
    "DuplicateError",
    "InvalidRequestError",
    "LimitError",
    "NotFoundError",
    "NotReadyError",
    "ProtocolError",
    "RefusedError",
    "SettingError",
    "UnavailableError",
    "UnknownOutcomeError",
    "UnsupportedError",
    "error_of_status",
    "refusal_of_session",
]


class ClientError(Exception):
    """Base of every error that the client raises on purpose; the message is printable."""

    retry: ClassVar[bool] = False
    """Whether the same request may succeed later."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, LONGEST_SENTENCE))


class UnavailableError(ClientError):
    """No gateway answered in time."""

    retry = True


class NotReadyError(UnavailableError):
    """The gateway is still starting; the message is its own sentence."""


class CertificateError(UnavailableError):
    """The gateway's certificate is not to be trusted; the message says why."""


class UnknownOutcomeError(UnavailableError):
    """What was asked may have been carried out, or may be yet: ask again as it stands."""


class ProtocolError(ClientError):
    """The gateway sent a message that cannot be decoded."""


class SettingError(ClientError):
    """An argument of the client names something unusable; the message says what and why."""


class RefusedError(ClientError):
    """The gateway refused the request; the message is its own sentence."""


class InvalidRequestError(RefusedError):
    """The request breaks a rule of the contract."""


class NotFoundError(RefusedError):
    """No venue lists the instrument."""


class AccessError(RefusedError):
    """The gateway does not accept who asks."""


class LimitError(RefusedError):
    """The bot asks for more than the gateway grants to one bot."""


class DuplicateError(RefusedError):
    """The `client_id` names another order."""


class UnsupportedError(RefusedError):
    """The gateway does not offer the method."""


WANTS_TLS: Final = "does it ask for TLS, or for another certificate?"
_DISTRUST: Final = re.compile(
    r"(?:CERTIFICATE_VERIFY_FAILED: |UNAUTHENTICATED: (?=Hostname Verification))(.+)"
)
_HANDSHAKE: Final = re.compile(r"OPENSSL_internal:([A-Z0-9_]+)")
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_UNRESOLVED: Final = re.compile(r"errors resolving .*?: .*?([^:\[\]]+)\]*$", re.DOTALL)
_CUT: Final = re.compile(r"Stream removed \((.+)\)")
_ADDRESS: Final = re.compile(r"^[A-Z_]+: \S+: ")

_REFUSALS: Final[dict[grpc.StatusCode, type[RefusedError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequestError,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequestError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.UNAUTHENTICATED: AccessError,
    grpc.StatusCode.PERMISSION_DENIED: AccessError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitError,
    grpc.StatusCode.ALREADY_EXISTS: DuplicateError,
    grpc.StatusCode.UNIMPLEMENTED: UnsupportedError,
}


def error_of_status(code: grpc.StatusCode, details: str | None) -> ClientError:
    """Return what a gRPC status means to a bot; `details` is the gateway's sentence."""
    sentence = details or code.name
    if code is grpc.StatusCode.UNIMPLEMENTED:  # which gRPC says by itself, in words of its own
        sentence = "the gateway does not offer that: for orders, start it with --engine"
    refusal = _REFUSALS.get(code)
    if refusal is not None:
        return refusal(sentence)
    short = _short(sentence)
    failed = _HANDSHAKE.search(short)
    if failed is not None and failed[1] == "WRONG_VERSION_NUMBER":
        return CertificateError(
            "what answers there does not encrypt: leave TLS and its files out, or name a gateway"
            " that has TLS"
        )
    distrust = _DISTRUST.search(short)
    if distrust is not None:
        return CertificateError(
            f"the gateway's certificate is not accepted: {distrust[1].rstrip('.')}; give the"
            " ca_file that signed it, or the server_name that it is for"
        )
    if failed is not None:
        short = f"the TLS handshake failed: {failed[1].lower().replace('_', ' ')}"
    return UnavailableError(short)


def refusal_of_session(code: int, sentence: str) -> ClientError:
    """Return what a refusal within a session means; `code` is a gRPC status by its number."""
    error = error_of_status(_CODES.get(code, grpc.StatusCode.UNKNOWN), sentence)
    return NotReadyError(sentence) if isinstance(error, UnavailableError) else error


def _short(sentence: str) -> str:
    """Return the end of a transport's story, without the address that the reader knows."""
    unresolved = _UNRESOLVED.match(sentence)
    if unresolved is not None:
        return f"its name cannot be looked up: {unresolved[1].strip()}"
    cut = _CUT.fullmatch(sentence)
    if cut is not None:
        return "the gateway does not answer" if cut[1] == "ping timeout" else cut[1]
    _, found, last = sentence.rpartition("last error: ")
    if not found:
        return sentence
    short = _ADDRESS.sub("", last).removesuffix(": OK")
    # All that a gateway says that wants TLS, or another certificate.
    hangs_up = short in {"Socket closed", "Connection reset by peer"}
    return f"{short}: {WANTS_TLS}" if hangs_up else short
