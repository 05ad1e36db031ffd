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


class _Waiting:
    """A frame, or the rest of one that has left in part. Without data, it has been dropped.

    Only broadcasts have a tag, and only as long as they may be dropped.
    """

    __slots__ = ("data", "tag")

    def __init__(self, data: bytes | memoryview, tag: Hashable) -> None:
        self.data = data
        self.tag = tag


class SendBuffer:
    """A queue of frames. ``size`` is how many bytes of them are still to be sent.

    It may hold thousands of frames, and on a full one each broadcast drops some. So nothing here
    looks at all frames for one broadcast.
    """

    __slots__ = ("_begun", "_droppable", "_dropped", "_frames", "size")

    def __init__(self) -> None:
        self._frames: deque[_Waiting] = deque()
        #: The frames that have a tag, by tag, in order.
        self._droppable: dict[Hashable, deque[_Waiting]] = {}
        #: How many of the frames have been dropped.
        self._dropped = 0
        #: How many of the first bytes the peer waits for: their frames cannot be dropped.
        self._begun = 0
        self.size = 0

    def __bool__(self) -> bool:
        return self.size > 0

    def append(self, frame: bytes, *, sent: int = 0, tag: Hashable = None) -> None:
        """Add a frame, of which ``sent`` bytes have already left."""
        waiting = _Waiting(memoryview(frame)[sent:] if sent else frame, None if sent else tag)
        if sent:
            self._begun = max(self._begun, 1)
        elif tag is not None:
            self._droppable.setdefault(tag, deque()).append(waiting)
        self._frames.append(waiting)
        self.size += len(frame) - sent

    def hold(self, count: int) -> None:
        """The next ``count`` bytes may have left already: keep their frames."""
        self._begun = max(self._begun, min(count, self.size))
        position = 0
        for waiting in self._frames:
            if position >= self._begun:
                break
            self._protect(waiting)
            position += len(waiting.data)

    def chunk(self) -> bytes | memoryview:
        """The bytes to send next."""
        frames = self._frames
        first = frames[0].data
        if len(first) >= _CHUNK or len(frames) == 1:
            return first
        parts, size = [], 0
        for waiting in frames:
            parts.append(waiting.data)
            size += len(waiting.data)
            if size >= _CHUNK:
                break
        return b"".join(parts)

    def sent(self, count: int) -> None:
        """The kernel has taken ``count`` bytes."""
        self.size -= count
        self._begun = max(0, self._begun - count)
        while self._frames and count >= len(self._frames[0].data):
            count -= len(self._pop().data)
        if count:
            first = self._frames[0]
            self._protect(first)
            first.data = memoryview(first.data)[count:]
            self._begun = max(1, self._begun)

    def drop_oldest(self, room: int) -> int:
        """Drop the oldest broadcasts, ``room`` bytes or more if there are as many; their number.

        A frame that has left in part stays: the peer waits for the rest of it.
        """
        kept, number, freed = [], 0, 0
        while freed < room and self._droppable:
            droppable = self._frames[0].tag is not None
            waiting = self._pop()
            if droppable:
                number += 1
                freed += len(waiting.data)
            elif waiting.data:
                kept.append(waiting)
        self._frames.extendleft(reversed(kept))
        self.size -= freed
        return number

    def drop_tagged(self, tag: Hashable) -> int:
        """Drop the broadcasts that have this tag, unless they have left in part; their number."""
        found = self._droppable.pop(tag, ())
        for waiting in found:
            self.size -= len(waiting.data)
            waiting.data, waiting.tag = b"", None
        self._dropped += len(found)
        if self._dropped > len(self._frames) // 2:
            self._frames = deque(waiting for waiting in self._frames if waiting.data)
            self._dropped = 0
        return len(found)

    def drop_waiting(self) -> None:
        """Drop every frame of which nothing has left."""
        kept, position = deque[_Waiting](), 0
        for waiting in self._frames:
            if position >= self._begun:
                break
            self._protect(waiting)
            if waiting.data:
                kept.append(waiting)
            position += len(waiting.data)
        self._frames, self.size = kept, position
        self._droppable.clear()
        self._dropped = 0

    def _pop(self) -> _Waiting:
        waiting = self._frames.popleft()
        self._protect(waiting)
        if not waiting.data:
            self._dropped -= 1
        return waiting

    def _protect(self, waiting: _Waiting) -> None:
        """It cannot be dropped any more. It is the first frame with its tag."""
        if waiting.tag is not None:
            tagged = self._droppable[waiting.tag]
            tagged.popleft()
            if not tagged:
                del self._droppable[waiting.tag]
            waiting.tag = None
