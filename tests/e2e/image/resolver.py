"""A name server on 127.0.0.1:53 that knows one name: resolver.py NAME. Each other name does not exist."""

import socket
import struct
import sys

known = b"".join(bytes([len(label)]) + label.encode() for label in sys.argv[1].split(".")) + b"\0"
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("listening", flush=True)
while True:
    query, client = server.recvfrom(512)
    end = query.index(b"\0", 12) + 1
    question, kind = query[12 : end + 4], query[end : end + 2]
    name = question[:-4].lower()
    answers = [b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + bytes([127, 0, 0, 1])] if name == known and kind == b"\0\1" else []
    flags = 0x8180 if name == known else 0x8183
    server.sendto(query[:2] + struct.pack("!HHHHH", flags, 1, len(answers), 0, 0) + question + b"".join(answers), client)
