"""Server-sent events as upstreams send them: cut into the data of events, wherever the network has cut them."""

from airside.gateways.models.formats.port import ANSWER_BYTES_MAX, BrokenAnswer

LINE_BYTES_MAX = 1_048_576


class Lines:
    """Cuts the bytes of an event stream into the data of its events, wherever the network has cut them."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that `data` completes; raises BrokenAnswer over a limit."""
        self._size += len(data)
        if self._size > ANSWER_BYTES_MAX:
            raise BrokenAnswer(f"the answer has more than {ANSWER_BYTES_MAX} bytes")
        events = []
        *lines, self._rest = (self._rest + data if self._rest else data).split(b"\n")
        if len(self._rest) > LINE_BYTES_MAX:
            raise BrokenAnswer(f"a line of the stream has more than {LINE_BYTES_MAX} bytes")
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip())
            elif self._data and line in {b"", b"\r"}:
                events.append(b"\n".join(self._data) if len(self._data) > 1 else self._data[0])
                self._data = []
        return events

    def flush(self) -> list[bytes]:
        """Return the last event of a stream that ended without an empty line."""
        return self.feed(b"\n\n")
