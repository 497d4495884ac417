"""A server that takes its TLS settings from server.conf as Zato's servers do.

    python server.py NAME/config/repo/server.conf

gunicorn with its gevent worker behind `[main] gunicorn_bind`, `[crypto]` read with ConfigObj and
turned into gunicorn's settings as Zato 3.2 turns it, mistakes included: a missing key ends the
server with `Error: KEY`. It answers `GET /` with its NAME and `GET /zato/ping` with a pong.
"""

from gevent import monkey

monkey.patch_all()  # before ssl is imported, or gevent's sockets and ssl's do not fit together

import ssl
import sys
from pathlib import Path

from configobj import ConfigObj
from gunicorn.app.base import BaseApplication


class Section(dict):
    """A section whose keys are attributes; the name of a missing one is the whole message."""

    def __getattr__(self, key):
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None


class FreshContext:
    """Builds an SSLContext for each connection, from the files as they are at that moment.

    Zato's servers do so: new certificates need no restart, a broken file lets the server start
    and fails every handshake, and no session is ever resumed.
    """

    def __init__(self, config, protocol):
        self.config = config
        self.protocol = protocol

    def wrap_socket(self, connection, **arguments):
        context = ssl.SSLContext(self.protocol)
        context.load_cert_chain(self.config.certfile, self.config.keyfile)
        context.load_verify_locations(self.config.ca_certs)
        context.verify_mode = self.config.cert_reqs
        context.set_ciphers(self.config.ciphers)
        return context.wrap_socket(connection, **arguments)


class Server(BaseApplication):
    def __init__(self, server_conf):
        self.repository = server_conf.parent
        self.name = server_conf.parents[2].name
        self.server_conf = ConfigObj(str(server_conf), encoding="utf8", file_error=True)
        super().__init__()

    def load_config(self):
        main = Section(self.server_conf["main"])
        crypto = Section(self.server_conf["crypto"])
        self.cfg.set("bind", main.gunicorn_bind)
        self.cfg.set("worker_class", "gevent")
        self.cfg.set("workers", 1)
        self.cfg.set("control_socket_disable", True)
        self.cfg.set("post_worker_init", lambda _: print(f"{self.name} is ready", file=sys.stderr, flush=True))
        if crypto.use_tls.lower() in ("true", "yes", "on", "1"):
            self.load_crypto(crypto)

    def load_crypto(self, crypto):
        protocol = getattr(ssl, f"PROTOCOL_{crypto.tls_protocol}")
        self.cfg.set("ciphers", crypto.tls_ciphers)
        self.cfg.set("cert_reqs", getattr(ssl, f"CERT_{crypto.tls_client_certs.upper()}"))
        self.cfg.set("ca_certs", self.in_repository(crypto.ca_certs_location))
        self.cfg.set("keyfile", self.in_repository(crypto.priv_key_location))
        self.cfg.set("certfile", self.in_repository(crypto.cert_location))
        self.cfg.set("do_handshake_on_connect", True)
        # gunicorn ignores `ssl_version` since 21; this hook is where a protocol takes effect.
        self.cfg.set("ssl_context", lambda config, default: FreshContext(config, protocol))

    def in_repository(self, location):
        return str(self.repository / location)

    def load(self):
        return self.answer

    def answer(self, environ, start_response):
        pages = {
            "/": self.name,
            "/x-forwarded-proto": environ.get("HTTP_X_FORWARDED_PROTO", "none"),
            "/zato/ping": "pong",
        }
        body = pages.get(environ["PATH_INFO"])
        status = "404 Not Found" if body is None else "200 OK"
        content = (body or status).encode()
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))])
        return [content]


if __name__ == "__main__":
    Server(Path(sys.argv[1]).resolve()).run()
