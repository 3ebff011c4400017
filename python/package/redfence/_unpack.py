"""`Unpack` for annotations, which the standard library has since Python 3.11. Type checkers bring typing_extensions along."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Unpack as Unpack
elif sys.version_info >= (3, 11):
    from typing import Unpack
else:

    class Unpack:
        """Only type checkers read it."""

        def __class_getitem__(cls, item: Any) -> Any:
            return item
