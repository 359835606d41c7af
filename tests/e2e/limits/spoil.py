"""A cloud that lies: it stands before an emulator, spoils what that answers, or answers itself."""

import asyncio
import gzip
import json
import random
import re

from upstream import Request, answer

ODD = [None, "", 0, -1, 1, True, False, 1e300, "x", "0", "null", [], {}, [None], [[]], {"a": {}}, "x" * 5000, 1 << 63, -(1 << 70), 253402300800000, 1713936450102000000, "9" * 40, "\u202e\u0000\ud800",
       "2024-02-30T25:61:61Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "../../x", "urn:fss:a:b:function:c:d:e", "<html>", '{"a":1}', 1.5]
CODES = ["80301", "80322", "900", "410", "420", "200", "510", "FSS.0401", "FSS.1051", "FSS.0429", "APIGW.0201", "APIGW.0308", "IAM.0011", "", "x" * 3000, "\n", 7, None]


# What a signed request may ask for: paths of the two clouds' APIs, without a character that a hop could read as an end.
EXPECTED = re.compile(r"(/ncf)?/api/v2/[\w/:.*!%-]*\?[\w=&.%:-]*|/v2/[0-9a-f]{32}/fgs/[\w/:.!%-]*(\?[\w=&.%:!/-]*)?|/v3/(auth/tokens|projects)[\w?=&.-]*")


class Spoiler:
    """Answers requests. Everything it does is drawn from one source of random numbers."""

    def __init__(self, dice: random.Random, emulator: int):
        self.dice, self.emulator, self.told, self.strange = dice, emulator, 0, []

    async def answer(self, request: Request) -> bytes | None:
        if not EXPECTED.fullmatch(request.target) or "/.." in request.target:
            self.strange.append(request.target[:300])
        roll = self.dice.random()
        if roll < 0.25:
            status, headers, body = await self.ask(request)
            return answer(status, body, headers)
        self.told += 1
        if roll < 0.7:
            status, headers, body = await self.ask(request)
            return await self.send(request, status if self.dice.random() < 0.85 else self.status(), headers, self.spoil(body))
        return await self.send(request, self.status(), {}, self.dice.choice([self.failure, self.noise])())

    async def ask(self, request: Request) -> tuple[int, dict, bytes]:
        """What the emulator answers to the same request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.emulator, limit=1 << 26)
        try:
            fields = {**request.headers, "connection": "close", "content-length": len(request.body)}
            fields.pop("transfer-encoding", None)
            writer.write(f"{request.method} {request.target} HTTP/1.1\r\n".encode() + "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin1") + b"\r\n" + request.body)
            raw = await reader.read()
        finally:
            writer.close()
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin1").split("\r\n")
        if len(lines[0].split(" ")) < 2:
            return 502, {}, b""
        dropped = {"connection", "content-length", "transfer-encoding", "date"}
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name.lower() not in dropped}
        return int(lines[0].split(" ")[1]), headers, body

    def status(self) -> int:
        return self.dice.choice([200, 200, 200, 201, 202, 204, 205, 206, 302, 303, 304, 307, 400, 401, 403, 404, 404, 408, 409, 413, 418, 422, 425, 429, 431, 500, 502, 503, 504, 511, 599, 600, 999])

    def spoil(self, body: bytes) -> bytes:
        try:
            document = json.loads(body)
        except ValueError:
            return self.noise()
        for _ in range(self.dice.choice([1, 1, 2, 6])):
            document = self.change(document)
        raw = json.dumps(document, ensure_ascii=self.dice.random() < 0.5).encode("utf-8", "surrogatepass")
        if self.dice.random() < 0.05:
            at = self.dice.randrange(len(raw) + 1)
            raw = raw[:at] + self.dice.choice([b"\xff", b"\0", b"}", b'"', b"\xef\xbb\xbf", b"\\u"]) + raw[at:]
        return raw

    def change(self, node):
        """One place of a tree, changed: replaced, taken away, doubled, or one more member."""
        inner = [(node, key) for key in (node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else [])]
        if not inner or self.dice.random() < 0.05:
            return self.dice.choice(ODD)
        holder, key = self.dice.choice(inner)
        if isinstance(holder[key], (dict, list)) and holder[key] and self.dice.random() < 0.75:
            holder[key] = self.change(holder[key])
            return node
        match self.dice.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.extend([holder[key]] * self.dice.choice([1, 3, 500]))
            case 2 if isinstance(holder, dict):
                holder[self.dice.choice(["error", "error_code", "errorCode", "message", "status", "result", "x", ""])] = self.dice.choice([*ODD, *CODES])
            case _:
                holder[key] = self.dice.choice(ODD)
        return node

    def failure(self) -> bytes:
        code, words = self.dice.choice(CODES), self.dice.choice(["Not Found", "x" * 9000, "", None, 7, {"a": 1}, "한글\u202e\x1b[31m"])
        shapes = [{"error": {"errorCode": code, "message": words, "details": words}}, {"error_code": code, "error_msg": words, "request_id": "r"}, {"code": code, "error": words},
                  {"error": words}, {"errorCode": code, "errorMessage": words}, {"error": {"code": code, "title": words}}, {"responseError": {"returnCode": code, "returnMessage": words}}]
        return json.dumps(self.dice.choice(shapes)).encode()

    def noise(self) -> bytes:
        return self.dice.choice([b"", b"{}", b"[]", b"null", b"true", b'"', b"\xef\xbb\xbf{}", b"<html><body>502 Bad Gateway</body></html>", b"{" * 50_000, b"[" * 300 + b"]" * 300, bytes(1000),
                                 b"[" + b"1," * 500_000 + b"1]", b'"' + b"x" * 2_000_000 + b'"', b'{"content":' + b"9" * 100_000 + b"}", self.dice.randbytes(3000)])

    async def send(self, request: Request, status: int, headers: dict, body: bytes) -> bytes | None:
        """Whole, or slow, cut off, wrongly counted, coded, in pieces, with many or odd headers."""
        headers = dict(headers)
        for name in list(headers):
            if self.dice.random() < 0.1:
                headers[name] = self.dice.choice(["", "x", "-1", "99999999999999999999", "v1", "true", "I" * 5000, "{}", "é"])
        extra = [("retry-after", "99999999999"), ("retry-after", "soon"), ("date", "Fri, 01 Jan 2038 00:00:00 GMT"), ("date", "x"), ("content-encoding", "gzip"), ("x-cff-response-version", "v1"),
                 ("x-is-func-err", "true"), ("x-func-err-code", "4201"), ("x-cff-invoke-summary", '{"duration":-1,"memoryUsed":1e999}'), ("x-cff-function-log", "%%%"), ("keep-alive", "timeout=0"),
                 ("connection", "close"), ("location", "http://127.0.0.1:1/")]
        headers.update(one for one in extra if self.dice.random() < 0.04)
        if self.dice.random() < 0.02:
            headers.update({f"x-{number}": "y" for number in range(300)})
        if self.dice.random() < 0.03:
            body = gzip.compress(body)
        whole = answer(status, body, headers)
        roll = self.dice.random()
        if roll < 0.75:
            return whole
        if roll < 0.83:
            request.writer.write(whole[:self.dice.randrange(len(whole))])
            await request.writer.drain()
            return None
        if roll < 0.88:
            await asyncio.sleep(self.dice.choice([0.05, 0.5, 4]))
            return whole
        if roll < 0.94:
            head, _, rest = whole.partition(b"\r\n\r\n")
            head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")) + b"\r\ntransfer-encoding: chunked\r\n\r\n"
            pieces = [rest[at:at + 50_000] for at in range(0, len(rest), 50_000)]
            return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        if roll < 0.97:
            return b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * self.dice.choice([1, 20]) + whole
        return whole + self.dice.choice([b"x", whole, b"HTTP/1.1 200 OK\r\n\r\n"])
