"""What opens above the night: all about a job, a question before what cannot be undone, the keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, Input, Static

from cli.monitor.deeds import Deed
from cli.screen.jobs import job_page, name_of
from common.errors import NighttrainError
from common.protocol.job_views import JobDetail
from common.protocol.steering import MAX_REASON_CHARACTERS, Steered


class TextScreen(ModalScreen[None]):
    """A text that can be scrolled, until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "close", "Back")]

    def __init__(self, title: str, words: str) -> None:
        super().__init__()
        self._title, self._words = title, words

    def compose(self) -> ComposeResult:
        """Return title and text."""
        with Vertical(classes="dialog large"):
            yield Static(Text(self._title, "bold"), classes="title", id="title")
            with VerticalScroll():
                yield Static(Text(self._words), id="words")
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()


class JobScreen(TextScreen):
    """All about a job, why it is where it is first, kept up to date."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "steer('retry')", "Try again"),
        Binding("c", "steer('cancel_job')", "Cancel it"),
        Binding("n", "steer('run_next')", "Run it next"),
        Binding("u", "steer('unpark')", "Release its symbol"),
    ]

    class Loaded(Message):
        """The job has come."""

        def __init__(self, job: JobDetail) -> None:
            super().__init__()
            self.job = job

    class Missed(Message):
        """It has not come."""

        def __init__(self, error: NighttrainError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, load: Callable[[JobScreen], None], steer: Callable[[str, JobDetail], None]) -> None:
        super().__init__("", "asking for the job")
        self._load, self._steer = load, steer
        self.job: JobDetail | None = None

    def on_mount(self) -> None:
        """Ask for the job."""
        super().on_mount()
        self.reload()

    def reload(self) -> None:
        """Ask for the job again."""
        self._load(self)

    def on_job_screen_loaded(self, message: Loaded) -> None:
        """Show the job."""
        self.job = message.job
        self.query_one("#title", Static).update(Text(name_of(message.job), "bold"))
        self.query_one("#words", Static).update(Text(job_page(message.job, cut=False)))

    def on_job_screen_missed(self, message: Missed) -> None:
        """Keep what is shown; say why it is not newer where there is nothing yet."""
        if self.job is None:
            self.query_one("#words", Static).update(Text(str(message.error)))

    def action_steer(self, deed: str) -> None:
        """Give an order about the job."""
        if self.job is not None:
            self._steer(deed, self.job)


class ConfirmScreen(ModalScreen[str | None]):
    """Says what would be done; gives the reason to do it for, or None for not doing it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Do nothing")]

    def __init__(self, deed: Deed, effect: Steered) -> None:
        super().__init__()
        self._deed, self._effect = deed, effect

    def compose(self) -> ComposeResult:
        """Return the question, what would be done, a place for the reason, and the two answers."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._deed.question, "bold"), classes="title")
            yield Static(Text(f"{self._effect.words}. This cannot be undone."), id="effect")
            yield Input(placeholder="why (it is kept; may be empty)", max_length=MAX_REASON_CHARACTERS)
            with Horizontal():
                yield Button("Do nothing", id="no")
                yield Button(self._deed.word, id="yes", variant="error")

    def on_mount(self) -> None:
        """Have Enter do nothing, until the other answer is chosen."""
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer."""
        self.dismiss(self.query_one(Input).value if event.button.id == "yes" else None)

    def on_input_submitted(self) -> None:
        """Go on from the reason to the answer."""
        self.query_one("#yes", Button).focus()

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(None)
