"""A session of the dashboard without a browser: it speaks the page's own protocol, so that fifty fit one machine."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from dashboard.ahead import COMPONENT

SLIDER = "Calls per day"
TIMEOUT_S = 60.0


class Session:
    """One reader of the first page: it opens the page, then moves the volume."""

    def __init__(self, url: str, **asked: str) -> None:
        """`url` of the server, and what the link asks."""
        self.url = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
        self.query = urlencode(asked)
        self.slider: Any = None
        self.fragment = ""
        self.wrong = 0
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        self._socket = await connect(self.url, subprotocols=["streamlit"], max_size=None)  # type: ignore[list-item]
        message = BackMsg()
        message.rerun_script.query_string = self.query
        await self._ask(message)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.close()

    async def move(self, position: int) -> float:
        """Put the volume at a position, and wait until the page has answered; seconds it took."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.fragment_id = self.fragment
        state = message.rerun_script.widget_states.widgets.add()
        state.id = self.slider.id
        state.string_array_value.data.append(self.slider.options[position % len(self.slider.options)])
        return await self._ask(message)

    async def _ask(self, message: BackMsg) -> float:
        """Send, and read until the script has finished; seconds until the last of the answer came.

        What the page sends ahead of the next question is not part of the answer.
        """
        assert self._socket is not None
        begin = answered = time.perf_counter()
        await self._socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(bytes(await asyncio.wait_for(self._socket.recv(), TIMEOUT_S)))
            kind = answer.WhichOneof("type")
            if kind == "delta":
                self._look(answer)
                if answer.delta.new_element.bidi_component.component_name != COMPONENT:
                    answered = time.perf_counter()
            elif kind == "script_finished":
                return answered - begin

    def _look(self, answer: ForwardMsg) -> None:
        element = answer.delta.new_element
        if element.WhichOneof("type") == "slider" and element.slider.label == SLIDER:
            self.slider, self.fragment = element.slider, answer.delta.fragment_id
        if element.WhichOneof("type") == "exception" or '"tp-wrong"' in element.html.body:
            self.wrong += 1
