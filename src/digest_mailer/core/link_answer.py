"""What a web address answered when it was asked: the value between `adapters.link_probe`, which asks, and
`services.link_check`, which judges. It holds no page, only how the way to one ended.
"""

from dataclasses import dataclass

NO_HOST = "no host of that name exists"  # the one problem that says that an address is wrong


@dataclass(frozen=True, slots=True)
class LinkAnswer:
    """The end of the way from an address: a status of HTTP, or what went wrong before there was one."""

    url: str  # as it was asked for
    status: int = 0  # of the last reply; 0 when there was none
    moved_to: str = ""  # where the address has moved for good (301, 308); empty when it has not
    problem: str = ""  # why there is no usable reply; empty when there is one

    @property
    def good(self) -> bool:
        """Whether the address leads somewhere."""
        return 200 <= self.status < 400 and not self.problem
