"""A client of a Countersign room: python3 client.py BUNDLE HOST PORT

Sends the lines of standard input, and prints what the server sends. Needs Python 3.8 and nothing else.
"""
import os
import socket
import ssl
import sys
import threading

LINE_BYTES_MAX = 65536  # longer than any line of a server


def lines_of(link):
    """Yields each line whole. A read may end in the middle of a line, even of a character."""
    waiting = b""
    while True:
        try:
            piece = link.recv(4096)
        except ssl.SSLEOFError:
            return fail("the connection was lost")  # it ended without a goodbye of TLS
        if not piece:
            return  # bytes after the last LF are no line
        waiting += piece
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
        if len(waiting) > LINE_BYTES_MAX:
            return fail("the server sends a line without end")


def own_id(bundle):
    """Reads the ID from the notes at the beginning of the bundle."""
    with open(bundle, encoding="utf-8") as file:
        for line in file:
            if line.startswith("# id = "):
                return line[len("# id = "):].strip()
    return None


def send_typed(link):
    """Sends what is typed, and says /quit at the end."""
    try:
        for line in sys.stdin.buffer:
            link.sendall(line.rstrip(b"\r\n") + b"\n")
        link.sendall(b"/quit\n")
    except OSError:
        pass  # the reading end says why the connection ended


def fail(words):
    sys.stdout.flush()
    print(words, file=sys.stderr, flush=True)
    os._exit(1)  # standard input may still be waited for


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    bundle, host, port = sys.argv[1:]
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)
    # Checks the server's CA, its name, its dates and its purpose, and presents our certificate.
    tls = ssl.create_default_context(cafile=bundle)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.load_cert_chain(bundle)
    try:
        link = tls.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host,
                               suppress_ragged_eofs=False)
        greeted = False
        for line in lines_of(link):
            if not greeted and line.startswith("!"):
                fail(line)
            print(line)
            if not greeted and line.startswith("= welcome "):
                if f"id={own_id(bundle)}" not in line.split(" "):
                    fail("the server calls us by another name")
                greeted = True  # from here on we are in the room, and not before
                threading.Thread(target=send_typed, args=(link,), daemon=True).start()
            if line.startswith("= bye "):
                break
        sys.stdout.flush()
        if not greeted:
            fail("the server closed the connection before its greeting")
        os._exit(0)
    except OSError as error:  # also each error of TLS
        fail(f"{host}: {error}")


main()
