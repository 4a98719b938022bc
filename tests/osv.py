"""A test server with the part of OSV's API that is used: https://google.github.io/osv.dev/api/."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = 2
"""Results on a page."""


class OsvServer:
    """Serves records by id on loopback; `requests` are the paths of all requests."""

    def __init__(self, *records):
        self.records = {record["id"]: record for record in records}
        self.requests = []
        self.answer = None

    def __enter__(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                record = server.records.get(self.path.removeprefix("/v1/vulns/"))
                self._send(200 if record else 404, record or {"code": 5, "message": "Bug not found."})

            def do_POST(self):
                server.requests.append(self.path)
                text = self.rfile.read(int(self.headers["Content-Length"]))
                results = [server.result(query) for query in json.loads(text)["queries"]]
                self._send(200, {"results": results} if server.answer is None else server.answer)

            def _send(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def result(self, query):
        """Return the ids of a version's records, in pages; {} if there are none."""
        assert query["package"]["ecosystem"] == "PyPI"
        found = [
            {"id": record["id"], "modified": "2026-01-01T00:00:00Z"}
            for record in self.records.values()
            for affected in record["affected"]
            if affected["package"]["name"] == query["package"]["name"]
            and query["version"] in affected["versions"]
        ]
        start = int(query.get("page_token") or 0)
        page = {"vulns": found[start : start + PAGE]} if found else {}
        return page | ({"next_page_token": str(start + PAGE)} if len(found) > start + PAGE else {})


def record(name, package, *versions, fixed=None, severity=None, aliases=(), summary="it leaks", **more):
    """Return a record of OSV's schema."""
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    return {
        "id": name,
        "aliases": list(aliases),
        "summary": summary,
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
                "versions": list(versions),
            }
        ],
        **({"database_specific": {"severity": severity}} if severity else {}),
        **more,
    }
