"""NATS under a guard: ``async with GuardedNats(guard, "nats://broker:4222") as nats: ...``.

client         `GuardedNats`, what users hold: publish, request, subscribe, streams, consumers, buckets
link           the connection: bounded connect and reconnects; `Link.run` is how every operation goes out
outcomes       errors of the client → what they say: the table
streams        make sure of a stream: idempotent, compares configuration
subscriptions  handlers isolated from each other, bounded queues
consumers      durable pull consumers with explicit acknowledgement, bounded in flight
deliveries     their options and statistics, and one delivered message
kv             key-value buckets with compare-and-set and watch
probe          `NatsProbe`: asks a server whether it serves, JetStream too

What may not live here: the gear's use of NATS as a store or queue (that is storage), any other client.
"""

from switchgear.adapters.nats.client import GuardedNats
from switchgear.adapters.nats.consumers import Consumer
from switchgear.adapters.nats.deliveries import ConsumerOptions, ConsumerStatistics, Delivery
from switchgear.adapters.nats.kv import Bucket, Entry, Watch
from switchgear.adapters.nats.link import LinkOptions
from switchgear.adapters.nats.outcomes import OUTCOMES
from switchgear.adapters.nats.probe import NatsProbe
from switchgear.adapters.nats.streams import EnsuredStream
from switchgear.adapters.nats.subscriptions import Subscription, SubscriptionOptions, SubscriptionStatistics

__all__ = [
    "OUTCOMES",
    "Bucket",
    "Consumer",
    "ConsumerOptions",
    "ConsumerStatistics",
    "Delivery",
    "EnsuredStream",
    "Entry",
    "GuardedNats",
    "LinkOptions",
    "NatsProbe",
    "Subscription",
    "SubscriptionOptions",
    "SubscriptionStatistics",
    "Watch",
]
