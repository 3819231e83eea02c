"""The vendor's reference tables: trade conditions and option exchanges, as its REST serves them. Pure data.

Ids are 200 + the position of OPRA's one-letter message type among A-Z, a-z, and 300 + the position of the OPRA
participant letter. `legacy` letters (211-218, 220-226) are retired and not listed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["CONDITIONS", "EXCHANGES", "SIP_EXCHANGE", "Condition", "Exchange", "condition_row", "exchange_row"]

SIP_EXCHANGE = 314


class Condition(NamedTuple):
    """One sale condition: its id, OPRA letter, name, and what a print under it updates."""

    id: int
    letter: str
    name: str
    updates_volume: bool = True
    updates_prices: bool = True


class Exchange(NamedTuple):
    """One options venue (or the SIP): id, OPRA participant letter, name, ISO 10383 market identifier."""

    id: int
    letter: str
    name: str
    mic: str


CONDITIONS: tuple[Condition, ...] = (
    Condition(201, "A", "Canceled", False, False),
    Condition(202, "B", "Late and Out Of Sequence", False, False),
    Condition(203, "C", "Last and Canceled", False, False),
    Condition(204, "D", "Late", False, False),
    Condition(205, "E", "Opening Trade and Canceled", False, False),
    Condition(206, "F", "Opening Trade, Late, and Out Of Sequence", False, False),
    Condition(207, "G", "Only Trade and Canceled", False, False),
    Condition(208, "H", "Opening Trade and Late", True, False),
    Condition(209, "I", "Automatic Execution"),
    Condition(210, "J", "Reopening Trade"),
    Condition(219, "S", "Intermarket Sweep Order"),
    Condition(227, "a", "Single Leg Auction Non ISO"),
    Condition(228, "b", "Single Leg Auction ISO"),
    Condition(229, "c", "Single Leg Cross Non ISO"),
    Condition(230, "d", "Single Leg Cross ISO"),
    Condition(231, "e", "Single Leg Floor Trade"),
    Condition(232, "f", "Multi Leg Auto-Electronic Trade"),
    Condition(233, "g", "Multi Leg Auction"),
    Condition(234, "h", "Multi Leg Cross"),
    Condition(235, "i", "Multi Leg Floor Trade"),
    Condition(236, "j", "Multi Leg Auto-Electronic Trade Against Single Legs"),
    Condition(237, "k", "Stock Options Auction"),
    Condition(238, "l", "Multi Leg Auction Against Single Legs"),
    Condition(239, "m", "Multi Leg Floor Trade Against Single Legs"),
    Condition(240, "n", "Stock Options Auto-Electronic Trade"),
    Condition(241, "o", "Stock Options Cross"),
    Condition(242, "p", "Stock Options Floor Trade"),
    Condition(243, "q", "Stock Options Auto-Electronic Trade Against Single Legs"),
    Condition(244, "r", "Stock Options Auction Against Single Legs"),
    Condition(245, "s", "Stock Options Floor Trade Against Single Legs"),
    Condition(246, "t", "Multi Leg Floor Trade of Proprietary Products", True, False),
    Condition(247, "u", "Multilateral Compression Trade of Proprietary Products", True, False),
    Condition(248, "v", "Extended Hours Trade", True, False),
)

EXCHANGES: tuple[Exchange, ...] = (
    Exchange(300, "A", "NYSE American Options", "AMXO"),
    Exchange(301, "B", "BOX Options Exchange", "XBOX"),
    Exchange(302, "C", "Cboe Options Exchange", "XCBO"),
    Exchange(303, "D", "MIAX Emerald", "EMLD"),
    Exchange(304, "E", "Cboe EDGX Options", "EDGO"),
    Exchange(307, "H", "Nasdaq GEMX", "GMNI"),
    Exchange(308, "I", "Nasdaq ISE", "XISX"),
    Exchange(309, "J", "Nasdaq MRX", "MCRY"),
    Exchange(312, "M", "MIAX Options", "XMIO"),
    Exchange(313, "N", "NYSE Arca Options", "ARCO"),
    Exchange(314, "O", "Options Price Reporting Authority", "OPRA"),
    Exchange(315, "P", "MIAX Pearl", "MPRL"),
    Exchange(316, "Q", "Nasdaq Options Market", "XNDQ"),
    Exchange(318, "S", "MIAX Sapphire", "SPHR"),
    Exchange(319, "T", "Nasdaq BX Options", "XBXO"),
    Exchange(320, "U", "MEMX Options", "MXOP"),
    Exchange(322, "W", "Cboe C2 Options", "C2OX"),
    Exchange(323, "X", "Nasdaq PHLX", "XPHO"),
    Exchange(325, "Z", "Cboe BZX Options", "BATO"),
)


def condition_row(condition: Condition) -> dict[str, Any]:
    """A row of `/v3/reference/conditions`."""
    updates = {
        "updates_high_low": condition.updates_prices,
        "updates_open_close": condition.updates_prices,
        "updates_volume": condition.updates_volume,
    }
    return {
        "id": condition.id,
        "type": "sale_condition",
        "name": condition.name,
        "asset_class": "options",
        "sip_mapping": {"OPRA": condition.letter},
        "update_rules": {"consolidated": updates, "market_center": updates},
        "data_types": ["trade"],
    }


def exchange_row(exchange: Exchange) -> dict[str, object]:
    """A row of `/v3/reference/exchanges`."""
    return {
        "id": exchange.id,
        "type": "SIP" if exchange.id == SIP_EXCHANGE else "exchange",
        "asset_class": "options",
        "locale": "us",
        "name": exchange.name,
        "mic": exchange.mic,
        "operating_mic": exchange.mic,
        "participant_id": exchange.letter,
    }
