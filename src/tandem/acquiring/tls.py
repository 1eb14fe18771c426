"""TLS of the host's listeners, and who a client certificate says that a peer is."""

import asyncio
import hashlib
import ssl

from tandem.acquiring.errors import LinksUnusable
from tandem.acquiring.links import HostSettings, Tls


def tls_context(tls: Tls) -> ssl.SSLContext:
    """TLS of a listener. Raises `LinksUnusable` if its files cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.clients is not None:
            context.load_verify_locations(tls.clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LinksUnusable(f"the certificate {tls.certificate}: {reason}") from error
    return context


def fingerprint(transport: asyncio.Transport) -> str | None:
    """The SHA-256 of the peer's certificate, which the handshake has verified; None without TLS."""
    tls = transport.get_extra_info("ssl_object")
    certificate = None if tls is None else tls.getpeercert(binary_form=True)
    return None if not certificate else hashlib.sha256(certificate).hexdigest()


def check_certificates(settings: HostSettings) -> None:
    """Raise `LinksUnusable` if a link is known by a certificate that no listener asks for."""
    asked = any(listener.tls and listener.tls.clients for listener in settings.listeners)
    for link in settings.links:
        if link.certificates and not asked:
            raise LinksUnusable(f"{link.name}: no listener asks for client certificates")


def check_files(settings: HostSettings) -> None:
    """Raise `LinksUnusable` if files that the settings name cannot be used."""
    check_certificates(settings)
    for listener in settings.listeners:
        if listener.tls is not None:
            tls_context(listener.tls)
