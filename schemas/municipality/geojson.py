"""GeoJSON (RFC 7946) as far as a municipality needs it: polygons of zones, points of refuges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.municipality.places import Latitude, Longitude, Refuge, RefugeFacts, Ring, Zone, ZoneFacts


class _Geo(BaseModel):
    """Members that RFC 7946 allows beside these (``bbox``, ``id``) are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class PolygonGeometry(_Geo):
    type: Literal["Polygon"]
    coordinates: Annotated[tuple[Ring, ...], Field(min_length=1)]


class PointGeometry(_Geo):
    type: Literal["Point"]
    coordinates: tuple[Longitude, Latitude]


class ZoneFeature(_Geo):
    type: Literal["Feature"]
    properties: ZoneFacts
    geometry: PolygonGeometry

    def zone(self) -> Zone:
        return Zone(**dict(self.properties), polygon=self.geometry.coordinates)


class RefugeFeature(_Geo):
    type: Literal["Feature"]
    properties: RefugeFacts
    geometry: PointGeometry

    def refuge(self) -> Refuge:
        lon, lat = self.geometry.coordinates
        return Refuge(**dict(self.properties), lon=lon, lat=lat)


class ZonesFile(_Geo):
    """``zones.geojson``."""

    type: Literal["FeatureCollection"]
    features: Annotated[tuple[ZoneFeature, ...], Field(min_length=1)]


class RefugesFile(_Geo):
    """``refuges.geojson``."""

    type: Literal["FeatureCollection"]
    features: tuple[RefugeFeature, ...]
