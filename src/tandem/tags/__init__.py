"""Rolling tags: NFC tags of shops that sign a link of their own at each tap."""

from tandem.tags.errors import (
    TagKeysWithheld,
    TagOff,
    TagRevoked,
    TagTapOver,
    TagTapUsed,
    TagWrong,
)
from tandem.tags.model import (
    TAG_TAPS,
    CreateTag,
    Tag,
    TagKeys,
    TagPackage,
    TagStatus,
    TagTap,
    TagView,
    UpdateTag,
    check_tap,
    tag_view,
)
from tandem.tags.service import Opened, Tags
from tandem.tags.store import TAG_KEYS
from tandem.tags.sun import SunLink, read_link, template

__all__ = [
    "TAG_KEYS",
    "TAG_TAPS",
    "CreateTag",
    "Opened",
    "SunLink",
    "Tag",
    "TagKeys",
    "TagKeysWithheld",
    "TagOff",
    "TagPackage",
    "TagRevoked",
    "TagStatus",
    "TagTap",
    "TagTapOver",
    "TagTapUsed",
    "TagView",
    "TagWrong",
    "Tags",
    "UpdateTag",
    "check_tap",
    "read_link",
    "tag_view",
    "template",
]
