"""The folder that a municipality owns: models, loader and checks. See DOORS, files a municipality owns."""

from schemas.municipality.check import check_folder
from schemas.municipality.errors import FolderError, FolderErrors
from schemas.municipality.folder import Municipality, load_all, load_folder, load_profile, review_folder

__all__ = [
    "FolderError",
    "FolderErrors",
    "Municipality",
    "check_folder",
    "load_all",
    "load_folder",
    "load_profile",
    "review_folder",
]
