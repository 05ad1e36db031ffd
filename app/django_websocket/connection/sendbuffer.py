"""A connection's bytes that the kernel has not taken yet, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Literal

__all__ = ["Policy", "SendBuffer"]

#: What a broadcast does when the send buffer is full.
Policy = Literal["disconnect", "drop_oldest", "latest"]

#: Bytes for one system call: more than the kernel takes at once from most connections.
_CHUNK = 256 * 1024


class SendBuffer:
    """A queue of frames. ``size`` is how many bytes of them are still to be sent."""

    __slots__ = ("_begun", "_frames", "size")

    def __init__(self) -> None:
        #: (bytes, tag). Only broadcasts have a tag; only they may be dropped.
        self._frames: deque[tuple[memoryview, Hashable]] = deque()
        #: How many of the first bytes the peer waits for: their frames cannot be dropped.
        self._begun = 0
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._frames)

    def append(self, frame: bytes, *, sent: int = 0, tag: Hashable = None) -> None:
        """Add a frame, of which ``sent`` bytes have already left."""
        if sent:
            self._begun = max(self._begun, 1)
        self._frames.append((memoryview(frame)[sent:], tag))
        self.size += len(frame) - sent

    def hold(self, count: int) -> None:
        """The next ``count`` bytes may have left already: keep their frames."""
        self._begun = max(self._begun, min(count, self.size))

    def chunk(self) -> bytes | memoryview:
        """The bytes to send next."""
        first = self._frames[0][0]
        if len(first) >= _CHUNK or len(self._frames) == 1:
            return first
        frames, size = [], 0
        for frame, _ in self._frames:
            frames.append(frame)
            size += len(frame)
            if size >= _CHUNK:
                break
        return b"".join(frames)

    def sent(self, count: int) -> None:
        """The kernel has taken ``count`` bytes."""
        self.size -= count
        frames = self._frames
        while frames and count >= len(frames[0][0]):
            size = len(frames.popleft()[0])
            count -= size
            self._begun = max(0, self._begun - size)
        if count:
            frame, tag = frames[0]
            frames[0] = frame[count:], tag
            self._begun = max(1, self._begun - count)

    def drop_broadcasts(self, room: float, tag: Hashable = None) -> int:
        """Drop the oldest broadcasts, at least ``room`` bytes if there are as many; their number.

        With ``tag``, only those that have it. A frame that has left in part stays: the peer waits
        for the rest of it.
        """
        kept: deque[tuple[memoryview, Hashable]] = deque()
        dropped = freed = position = 0
        for frame, its_tag in self._frames:
            begun = position < self._begun
            position += len(frame)
            if not begun and its_tag is not None and freed < room and tag in (None, its_tag):
                dropped += 1
                freed += len(frame)
            else:
                kept.append((frame, its_tag))
        self._frames = kept
        self.size -= freed
        return dropped

    def drop_waiting(self) -> None:
        """Drop every frame of which nothing has left."""
        position, kept = 0, deque[tuple[memoryview, Hashable]]()
        for frame, tag in self._frames:
            if position >= self._begun:
                break
            kept.append((frame, tag))
            position += len(frame)
        self._frames, self.size = kept, position
