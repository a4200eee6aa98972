"""Says what a run lost, repeated or made up, from the outside: it imports nothing of the services.

    evidence = Evidence.read(told)          # the JSON below
    town = read_town(folder)                # the municipality's folder, read raw
    report = compare(evidence, town)        # .lost … .unexpected, .violations, .said, .json()
    planted = plant_a_loss(evidence, town, seed=7)
    assert planted.is_found(report, town)
    find_mixing(evidences, towns)           # of a run with several towns, both by id

One evidence is one municipality:

    {"accepted": [{"sensor_id", "property", "value", "unit"?, "observed_at", "quality"?, "event_id"?}],
     "started_at"?, "until"?, "held_up_s"?,
     "triage": {"sensors": {SENSOR: {"count", "digest"}},
                "incidents": [{"incident_id", "kind", "hazard", "level", "zones", "site"?, "opened_at"?,
                               "classified_at"?}],
                "changes"?: [{"kind": "condition", "rule", "sensor_id", "observed_at", "from", "to"}]},
     "notify": {"messages": [{"message_id", "incident_id", "recipient_id", "channel", "purpose", "state",
                              "warning_id"?, "version"?, "round"?}],
                "warnings": [{"warning_id", "version", "incident_id", "state", "zones", "purpose"?,
                              "texts": [{"zone", "language", "text"}], "at", "valid_until",
                              "authority", "content_hash", "incident_version", "audience": {"digest"}}],
                "answers"?: [{"sid"}]},
     "ledger": [entries of the carrier's /_ledger]}

- ``accepted``: the client's log of what was answered 2xx, in that order, in canonical units.
- ``started_at``, ``until``: the town's clock at both ends; without them no silence and no release is due.
- ``held_up_s``: seconds of the town's clock by which the run's own troubles may have held things up.
- ``zones`` of an incident: all that it ever covered, or those at its own level.
- ``warnings``: every version that was ever in force, each as its own row.
- ``changes``: triage's record of conditions that moved; without it only incidents are compared.
- ``answers``: what notify recorded of phones' answers: a text's MessageSid, a CallSid once per keypress.
  Without it an answer counts as recorded when the webhook took it.
"""

from tests.support.oracle.evidence import Evidence
from tests.support.oracle.folder import Town, read_town
from tests.support.oracle.kept import find_mixing
from tests.support.oracle.ledger import compare
from tests.support.oracle.planted import Planted, plant_a_loss
from tests.support.oracle.report import Report

__all__ = ["Evidence", "Planted", "Report", "Town", "compare", "find_mixing", "plant_a_loss", "read_town"]
