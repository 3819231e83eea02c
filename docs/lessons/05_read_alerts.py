"""Lesson 5: what an alert says, and what it stands on."""

from __future__ import annotations

from _running import data_dir, strikewire


def main() -> None:
    """Print the alerts of a recorded day, take the strongest apart, and find its rows again."""
    day = data_dir()
    alerts = [line for line in strikewire("replay", "--data-dir", day, "--alerts") if "headline" in line]
    for alert in alerts[:5]:
        print(f"{alert['underlying']:5} {alert['direction']:8} {alert['score']:3.0f}  {alert['headline']}")
    strongest = max(alerts, key=lambda alert: alert["score"])
    why = strikewire("explain", strongest["id"], "--data-dir", day)[-1]
    print(", ".join(sorted(why)))
    assert why["alert"]["id"] == strongest["id"]


if __name__ == "__main__":
    main()
