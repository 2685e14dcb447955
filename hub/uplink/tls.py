"""TLS to the broker: certificates and host names checked, 1.2 or later, and what a refusal means in words."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing

from hub.configuration import file as config
from hub.uplink.errors import BrokerError

_PATIENCE_SECONDS = 10.0
"""How long a broker has to say why it refuses; at once, but where a line or a machine is slow."""

_ALERTS = {
    "CERTIFICATE_REVOKED": "it refuses the hub's certificate, which was revoked",
    "CERTIFICATE_EXPIRED": "it refuses the hub's certificate, which has expired",
    "UNKNOWN_CA": "it refuses the hub's certificate, which is of an authority that it does not know",
    "BAD_CERTIFICATE": "it refuses the hub's certificate as a bad one",
    "UNSUPPORTED_CERTIFICATE": "it refuses the hub's certificate as one that is not for clients",
    "CERTIFICATE_UNKNOWN": "it refuses the hub's certificate",
    "CERTIFICATE_REQUIRED": "it wants a certificate of the hub: certificate_file",
    "HANDSHAKE_FAILURE": "it refuses the hub's offer (perhaps it wants a certificate: certificate_file)",
    "PROTOCOL_VERSION": "it speaks no TLS 1.2 or later",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS 1.2 or later",
    "WRONG_VERSION_NUMBER": "what answers there speaks no TLS",
    "UNEXPECTED_MESSAGE": "what answers there speaks no TLS",
}
"""OpenSSL's reasons, by their ends: alerts of RFC 8446, section 6.2, and what it found by itself."""


def tls_context(settings: config.Broker) -> ssl.SSLContext:
    """Certificates and host names checked, TLS 1.2 or later; the system's CAs where none is given.

    Reads the files: a certificate that is renewed on the disk is used at the next connection.

    Raises:
        BrokerError: a file cannot be used; the text names it.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise BrokerError(f"ca_file {settings.ca_file}: cannot be used: {_why(error)}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.certificate_file is not None:
        try:
            # An empty password, so that an encrypted key is an error and no question on a terminal.
            context.load_cert_chain(settings.certificate_file, settings.key_file, password="")
        except OSError as error:
            raise BrokerError(
                f"certificate_file {settings.certificate_file}, key_file {settings.key_file}: "
                f"cannot be used: {_why(error)}"
            ) from error
    return context


def in_words(error: ssl.SSLError) -> str:
    """Why there is no TLS, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}"
    reason = error.reason or error.strerror or str(error)
    known = next((words for name, words in _ALERTS.items() if reason.endswith(name)), None)
    return f"TLS failed: {known or reason}"


def refusal(
    settings: config.Broker, patience_seconds: float = _PATIENCE_SECONDS, place: str | None = None
) -> str | None:
    """Why the broker ends this hub's connections in TLS, or None where it does not. Blocks; where nothing is
    wrong for all of its patience.

    `place` is the address to ask, where it is known which of those that its name has answers.

    In TLS 1.3 a client that is refused learns it only after its own handshake, and what it has sent by
    then may cost it the broker's word. So this one sends nothing and listens.
    """
    try:
        context = tls_context(settings)
        address = (place or settings.host, settings.port)
        plain = socket.create_connection(address, timeout=_PATIENCE_SECONDS)
        with closing(plain), context.wrap_socket(plain, server_hostname=settings.host) as secured:
            secured.settimeout(patience_seconds)
            secured.recv(1)
    except ssl.SSLError as error:
        return in_words(error)
    except (OSError, ValueError, BrokerError):  # a broker that waits for us to speak is a TimeoutError
        return None
    return None


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return error.strerror or str(error)
