"""An HTTP/2 client of raw frames: it keeps the rules that its caller does not break on purpose, and tells what came back."""

import select
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
FRAME = 16384
WINDOW = (1 << 31) - 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(text: str | bytes) -> bytes:
    """A string of HPACK without Huffman coding (RFC 7541, 5.2)."""
    raw = text.encode() if isinstance(text, str) else text
    length, out = len(raw), bytearray()
    if length < 127:
        out.append(length)
    else:
        out.append(127)
        length -= 127
        while length >= 128:
            out.append(length & 127 | 128)
            length >>= 7
        out.append(length)
    return bytes(out) + raw


def block(headers) -> bytes:
    """Headers as literals that enter no table, so that each costs on the wire what it costs unpacked."""
    return b"".join(b"\0" + literal(name) + literal(value) for name, value in headers)


def head(path: str, extra=(), *, authority: str = "localhost") -> bytes:
    return block([(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", authority), ("content-type", "application/grpc"),
                  ("te", "trailers"), *extra])


def message(body: bytes, *, packed: bool = False) -> bytes:
    """A length-prefixed message of gRPC."""
    return bytes([packed]) + struct.pack(">I", len(body)) + body


@dataclass
class Stream:
    """What came back on one stream."""

    headers: dict = field(default_factory=dict)
    data: int = 0
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None
    window: int = 0

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None

    @property
    def status(self) -> int | None:
        """grpc-status; None while there is none."""
        return int(self.headers["grpc-status"]) if "grpc-status" in self.headers else None


class Connection:
    """One connection. `window` is what this side lets the other send on each stream; 0 is a client that does not read."""

    def __init__(self, address, *, tls: ssl.SSLContext | None = None, window: int = WINDOW, source: str | None = None, keep: bool = False):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(10)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=10, source_address=(source, 0) if source else None)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.next, self.streams, self.buffer, self.keep = 1, {}, bytearray(), keep
        self.goaway, self.closed = None, False
        self.window, self.stream_window = 65535, 65535
        self.decoder, self.partial = hpack.Decoder(), b""
        self.decoder.max_header_list_size = 1 << 26
        self.sent = 0
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, window)) +
                  frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - 65535)))

    def send(self, raw: bytes) -> bool:
        """False when the other side has closed, or takes no more for 5 s."""
        if self.closed:
            return False
        self.socket.settimeout(5)
        try:
            self.socket.sendall(raw)
            self.sent += len(raw)
            return True
        except OSError:
            self.closed = True
            return False

    def open(self, path: str, extra=(), body: bytes | None = None, *, end: bool = True, headers: bytes | None = None) -> int:
        """Begins a call; without a body, and with `end` false, it stays open. A body that needs more window than there is, is sent by `data`."""
        number, self.next = self.next, self.next + 2
        self.streams[number] = Stream(window=self.stream_window)
        rest = head(path, extra) if headers is None else headers
        first, rest = rest[:FRAME], rest[FRAME:]
        out = frame(HEADERS, (0 if rest else END_HEADERS) | (END_STREAM if body is None and end else 0), number, first)
        while rest:
            first, rest = rest[:FRAME], rest[FRAME:]
            out += frame(CONTINUATION, 0 if rest else END_HEADERS, number, first)
        if body is not None and len(body) <= min(self.window, self.streams[number].window, FRAME):
            out += frame(DATA, END_STREAM if end else 0, number, body)
            self.window -= len(body)
            self.streams[number].window -= len(body)
            body = None
        self.send(out)
        if body is not None:
            self.data(number, body, end=end)
        return number

    def data(self, number: int, body: bytes, *, end: bool, patience: float = 10) -> bool:
        """Sends as the windows allow. False when they do not allow all of it in time, or the call is over before."""
        stream, until = self.streams[number], time.monotonic() + patience
        while body:
            room = min(self.window, stream.window, FRAME)
            if room <= 0:
                self.read(0.05)
                if stream.over or self.closed or time.monotonic() > until:
                    return False
                continue
            part, body = body[:room], body[room:]
            self.window -= len(part)
            stream.window -= len(part)
            if not self.send(frame(DATA, END_STREAM if end and not body else 0, number, part)):
                return False
        return True

    def reset(self, number: int) -> None:
        self.send(frame(RST_STREAM, 0, number, struct.pack(">I", 8)))

    def read(self, seconds: float = 0.0, until=None) -> None:
        """Takes in what comes, for so long, or until `until()` holds."""
        end = time.monotonic() + seconds
        while not self.closed and not (until and until()):
            left = end - time.monotonic()
            pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
            if not pending:
                poll = select.poll()
                poll.register(self.socket, select.POLLIN)
                if not poll.poll(max(0, min(left, 0.2 if until else left)) * 1000):
                    if left <= 0:
                        return
                    continue
            try:
                came = self.socket.recv(1 << 16)
            except (TimeoutError, ssl.SSLWantReadError):
                continue
            except OSError:
                came = b""
            if not came:
                self.closed = True
                return
            self.buffer += came
            self.take()
            if left <= 0 and not until:
                return

    def take(self) -> None:
        at = 0
        while len(self.buffer) - at >= 9:
            length = int.from_bytes(self.buffer[at:at + 3], "big")
            if len(self.buffer) - at < 9 + length:
                break
            kind, flags = self.buffer[at + 3], self.buffer[at + 4]
            number = int.from_bytes(self.buffer[at + 5:at + 9], "big") & WINDOW
            self.frame(kind, flags, number, bytes(self.buffer[at + 9:at + 9 + length]))
            at += 9 + length
        del self.buffer[:at]

    def frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        stream = self.streams.get(number)
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at:at + 6])
                if name == 4:
                    for one in self.streams.values():
                        one.window += value - self.stream_window
                    self.stream_window = value
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            more = int.from_bytes(payload, "big")
            if number == 0:
                self.window += more
            elif stream:
                stream.window += more
        elif kind == GOAWAY:
            self.goaway = (int.from_bytes(payload[4:8], "big"), payload[8:80])
        elif kind in (HEADERS, CONTINUATION):
            self.partial += payload
            if flags & END_HEADERS:
                found, self.partial = self.decoder.decode(self.partial), b""
                if stream:
                    stream.headers.update({str(name): str(value) for name, value in found})
        elif kind == RST_STREAM and stream:
            stream.reset = int.from_bytes(payload, "big")
        elif kind == DATA and stream:
            stream.data += len(payload)
            if self.keep:
                stream.body += payload
        if kind in (HEADERS, DATA) and flags & END_STREAM and stream:
            stream.ended = True

    def finish(self, numbers, seconds: float) -> list[Stream]:
        """Waits until these streams are over, and tells of them."""
        numbers = list(numbers)
        self.read(seconds, lambda: all(self.streams[number].over for number in numbers))
        return [self.streams[number] for number in numbers]

    def close(self) -> None:
        self.socket.close()
        self.closed = True
