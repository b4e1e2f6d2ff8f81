"""kube-scheduler's door: decode, score, answer.

Pure decisions: `combine`, `filter`, `headroom`, `rollout`, `ladder`. Edges: `app` (HTTP), `door` (gRPC), `models`
(model services), `cache` (Redis), `snapshot` (Redis), `records` (log, Redis). `scoring` ties them together.
"""
