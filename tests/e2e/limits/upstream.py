"""A scripted cloud on loopback: an HTTP/1.1 server whose answers are a function of the request. It can be slow, cut, lie and stream without end."""

import asyncio
import json
import threading
from dataclasses import dataclass

ACTIVATION = "0f" * 16


@dataclass
class Request:
    method: str
    target: str
    headers: dict
    body: bytes
    writer: asyncio.StreamWriter


def answer(status: int, body: bytes = b"", headers: dict | None = None, *, content_type: str = "application/json") -> bytes:
    fields = {"content-type": content_type, "content-length": len(body), **(headers or {})}
    return f"HTTP/1.1 {status} X\r\n".encode() + "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin1") + b"\r\n" + body


def ran(request: Request, result: bytes = b'{"a":1}', **headers) -> bytes:
    """A run that went well, as the asked cloud tells it."""
    if "/fgs/" in request.target:
        return answer(200, result, {"x-cff-request-id": "12345678-1234-1234-1234-123456789012", "x-cff-function-log": "", "x-func-err-code": "0", **headers})
    document = b'{"content":{"activationId":"%s","name":"hello","namespace":"ns","subject":"s","start":1713936450099,"end":1713936450102,"duration":3,"logs":[],' \
               b'"response":{"result":%s,"status":"success","success":true}}}' % (ACTIVATION.encode(), result)
    return answer(200, document, headers)


def missing(_request: Request) -> bytes:
    return answer(404, json.dumps({"error": {"errorCode": "80301", "message": "Not Found", "details": "x"}}).encode())


class Upstream:
    """Serves `script(request)`: bytes that are sent as they are, None to close, or a coroutine that returns either. Listens at `port`."""

    def __init__(self, script=ran):
        self.script, self.requests, self.counts = script, [], {}
        self.loop = asyncio.new_event_loop()
        started = threading.Event()

        def main():
            asyncio.set_event_loop(self.loop)
            server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096, limit=1 << 27))
            self.port = server.sockets[0].getsockname()[1]
            started.set()
            self.loop.run_forever()
            server.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))

        self.thread = threading.Thread(target=main, daemon=True)
        self.thread.start()
        started.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
                method, target, _ = lines[0].split(" ", 2)
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
                if "chunked" in headers.get("transfer-encoding", ""):
                    body = await self.chunks(reader)
                else:
                    body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(method, target, headers, body, writer)
                self.counts[method] = self.counts.get(method, 0) + 1
                if len(self.requests) < 5000 and len(body) < 1 << 16:
                    self.requests.append(request)
                out = self.script(request)
                if asyncio.iscoroutine(out):
                    out = await out
                if out is None:
                    return
                writer.write(out)
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            if not self.loop.is_closed():
                writer.close()

    async def chunks(self, reader: asyncio.StreamReader) -> bytes:
        whole = b""
        while size := int(await reader.readline(), 16):
            whole += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return whole

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
