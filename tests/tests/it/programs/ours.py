"""A client in countersign/1 that comes back, for the tests of the kit: BUNDLE HOST PORT"""
import os
import socket
import ssl
import sys
import threading
import time

bundle, host, port = sys.argv[1:]
sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)
tls = ssl.create_default_context(cafile=bundle)
tls.load_cert_chain(bundle)
tls.set_alpn_protocols(["countersign/1"])
lock = threading.RLock()
unacknowledged = {}
link = None
start = "head"
sent = time.monotonic()


def send(line):
    global sent
    try:
        link.sendall(line.encode() + b"\n")
        sent = time.monotonic()
    except OSError:
        pass  # the reading end notices


def say(n):
    send(f"/say pythonrun-{n} {unacknowledged[n]}")


def read_typed():
    for n, line in enumerate(sys.stdin, 1):
        with lock:
            unacknowledged[n] = line.rstrip("\n")
            say(n)


def ping():
    while True:
        time.sleep(1)
        if time.monotonic() - sent > 30:
            send("/ping")


def hear(line):
    global start
    words = line.split(" ")
    if words[:2] == ["=", "welcome"]:
        send(f"/follow {start}")
        with lock:
            for n in unacknowledged:
                say(n)
        return
    if words[0].isdigit():
        start = f"{words[0]} {words[1]}"
        print(line)
    if line.startswith("! other-history "):
        send("/follow head")
    elif words[:2] == ["=", "ok"] or words[0] == "!":
        n = words[2].split("-")[-1]
        if n.isdigit():
            unacknowledged.pop(int(n), None)
    if words[:2] == ["=", "bye"] and words[2] not in ("shutting-down", "lost", "stalled", "silent"):
        os._exit(0)


def connect():
    global link
    link = tls.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host,
                           suppress_ragged_eofs=False)
    waiting = b""
    while True:
        piece = link.recv(65536)
        if not piece:
            return
        waiting += piece
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            hear(line.decode())


threads_run = False
while True:
    try:
        if not threads_run:
            threads_run = True
            threading.Thread(target=ping, daemon=True).start()
            threading.Timer(0.5, read_typed).start()
        connect()
    except OSError:
        pass
    time.sleep(0.3)
