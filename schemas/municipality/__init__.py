"""The folder that a municipality owns: models, loader and checks. See DOORS, files a municipality owns."""

from schemas.municipality.check import check_folder
from schemas.municipality.errors import FolderError, FolderErrors
from schemas.municipality.folder import Municipality, load_all, load_folder, load_profile
from schemas.municipality.recorded import RecordedReading, RefusedRow, read_recorded

__all__ = [
    "FolderError",
    "FolderErrors",
    "Municipality",
    "RecordedReading",
    "RefusedRow",
    "check_folder",
    "load_all",
    "load_folder",
    "load_profile",
    "read_recorded",
]
