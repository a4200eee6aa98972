"""What Prometheus may ask of any process. One registry per process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

LAG = Gauge("municipio_consumer_lag_records", "Records not yet handled", ["topic"], registry=REGISTRY)
HANDLED = Counter("municipio_consumer_handled_records", "Records handled", ["topic"], registry=REGISTRY)
RETRIED = Counter("municipio_consumer_retried_batches", "Batches handed back", ["topic"], registry=REGISTRY)
STOPPED = Gauge("municipio_consumer_stopped", "1: stopped at a record of ours", ["topic"], registry=REGISTRY)
OUTBOX_AGE = Gauge(
    "municipio_outbox_oldest_age_seconds", "Age of the oldest unpublished record", ["lane"], registry=REGISTRY
)
PUBLISHED = Counter("municipio_relay_published_records", "Records acknowledged", ["topic"], registry=REGISTRY)
PUBLISH_FAILED = Counter(
    "municipio_relay_failed_records", "Publications not acknowledged", ["topic", "refused"], registry=REGISTRY
)
HELD_KEYS = Gauge("municipio_relay_held_keys", "Keys held back after a failure", registry=REGISTRY)
DEAD_LETTERS = Counter(
    "municipio_dead_letters_records", "Records dead-lettered", ["topic", "reason"], registry=REGISTRY
)
TIMER_LATE = Histogram(
    "municipio_timer_late_seconds",
    "How late timers fired",
    buckets=(0.05, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
    registry=REGISTRY,
)
TIMER_FAILED = Counter("municipio_timer_failed", "Timers whose handler failed", ["kind"], registry=REGISTRY)
DEAD_WAITING = Gauge("municipio_dead_letters_waiting", "Dead letters without an answer", registry=REGISTRY)
TIMERS_LATE = Gauge("municipio_timers_late", "Timers more than 10 s late", registry=REGISTRY)
UNDELIVERED_AGE = Gauge(
    "municipio_undelivered_oldest_age_seconds",
    "Age of the oldest message not handed over",
    registry=REGISTRY,
)
TRIES = Gauge("municipio_consumer_tries", "Failures of a batch in a row", ["topic"], registry=REGISTRY)
BOUND = Gauge("municipio_bound_ratio", "1 and above: this bound is reached", ["bound"], registry=REGISTRY)
DISK_FREE = Gauge("municipio_disk_free_bytes", "Room left for the data folder", registry=REGISTRY)
DISK_DAYS = Gauge("municipio_disk_days_until_full", "NaN: unknown, or nothing grows", registry=REGISTRY)
FORGOTTEN = Counter("municipio_retention_rows", "Rows whose period is over", ["table"], registry=REGISTRY)
