"""What fraud and advertising say, in English and Chinese: what the scorer goes by.

Each pattern is looked for in a text that `scorer.folded` has made plain: small letters, full-width
and accented characters as their plain ones, nothing invisible. Weights are points; a message is
held from `scorer.HELD_FROM` on. The kinds of fraud are those that authorities warn of: parcels and
customs, false support, safe accounts, prizes, advance fees, brushing jobs, romance and investment
(FTC Consumer Sentinel, categories; the Ministry of Public Security's ten kinds of telecom fraud).
"""

import re
from typing import Final

SECRETS: Final = (
    (
        r"\b(?:send|tell|give|text|share|forward|read|need|confirm|enter|reply with)\b.{0,30}"
        r"\b(?:one[- ]?time|verification|security|sms|login|recovery|pay)[ -]?"
        r"(?:code|pin|password)s?\b"
    ),
    r"\b(?:send|tell|give|share|confirm|enter|need)\b.{0,20}\byour (?:pin|password|passcode|cvv)\b",
    r"(?:发|告诉|提供|转发|报|念|给).{0,8}(?:验证码|校验码|动态码|付款码|密码|恢复码)",
    r"(?:验证码|校验码|动态码|付款码|密码|恢复码).{0,6}(?:发给|告诉|提供给|转发给|报给|给)(?:我|客服)",
)
"""Asks for what lets somebody into another's wallet."""

IMPERSONATION: Final = (
    r"\btandem (?:support|security|team|help ?desk|customer|official)\b",
    r"\b(?:customer (?:service|support)|fraud department|security team|help ?desk)\b",
    (
        r"\b(?:tax office|police|customs|court|bank|courier|embassy)\b.{0,40}"
        r"\b(?:fee|fine|release|suspend\w*|arrest|warrant|overdue|unpaid)\b"
    ),
    r"(?:官方|平台|银行|微信|支付宝|淘宝|京东|退款|理赔)客服",
    r"(?:公安|警察|法院|检察院|海关|税务|社保).{0,12}(?:通知|涉嫌|冻结|传票|罚款|洗钱|核实)",
)
"""Speaks for an authority, a bank or the operator."""

PRESSURE: Final = (
    r"\b(?:urgent(?:ly)?|immediately|right away|last (?:chance|warning)|final notice|act now)\b",
    r"\bwithin \d+ (?:minutes?|hours?)\b",
    r"\b(?:account|wallet|card)\b.{0,25}\b(?:suspended|blocked|frozen|locked|closed|limited)\b",
    r"\b(?:don't|do not) tell (?:anyone|anybody|your)\b",
    r"(?:立即|马上|尽快|火速|限时|最后).{0,6}(?:处理|操作|转账|付款|汇款|机会|通知)",
    r"(?:账户|账号|钱包|银行卡).{0,8}(?:冻结|封停|注销|异常|停用|受限)",
    r"(?:不要|别|切勿)告诉(?:任何人|家人|别人|银行)",
)
"""Leaves no time to think."""

PRIZES: Final = (
    r"\b(?:you (?:have )?won|winner|lottery|jackpot|prize|lucky draw|congratulations)\b",
    r"\b(?:claim|collect|unlock)\b.{0,20}\b(?:reward|bonus|prize|gift|refund|cash|money)\b",
    r"\bfree (?:money|cash|gift|iphone|credit|crypto)\b",
    r"(?:中奖|恭喜您|幸运用户|领取(?:奖金|奖品|红利|补贴|礼品)|免费领|大奖)",
)
"""Money for nothing."""

ADVANCE: Final = (
    r"\b(?:processing|release|customs|delivery|handling|activation|unlock|transfer) fee\b",
    r"\b(?:inheritance|deposit first|small fee|pay (?:a )?(?:fee|tax) (?:first|to))\b",
    r"\bsafe account\b",
    r"\b(?:refund|overpaid|overpayment)\b.{0,30}\b(?:difference|back|send|return)\b",
    r"(?:安全账户|保证金|解冻(?:费|金)|手续费先|先(?:交|付|转).{0,6}(?:费|金|税)|验资|刷流水|包裹.{0,6}(?:海关|扣押))",
)
"""Pay a little first, or move it to where it is safe."""

GAINS: Final = (
    (
        r"\b(?:bitcoin|btc|usdt|crypto|forex|binary options?)\b.{0,40}"
        r"\b(?:invest\w*|profit\w*|doubl\w+|return\w*|earn\w*|guaranteed|recover\w*)\b"
    ),
    (
        r"\b(?:invest\w*|profit\w*|doubl\w+|earn\w*|guaranteed|recover\w*)\b.{0,40}"
        r"\b(?:bitcoin|btc|usdt|crypto|forex)\b"
    ),
    r"\b(?:guaranteed|daily|risk[- ]free) (?:profit|return|income)s?\b",
    r"\bdouble your (?:money|investment|deposit)\b",
    r"\b(?:work from home|earn \S{1,8} (?:a|per) (?:day|week|hour)|easy money|passive income)\b",
    r"\b(?:loan|credit)s?\b.{0,25}\b(?:approved|no credit check|instant|guaranteed)\b",
    r"(?:刷单|兼职.{0,8}(?:日结|日赚|返)|稳赚|保本|高(?:收益|回报)|日赚|返利|荐股|内幕消息|带你(?:赚|投资))",
    r"(?:无抵押|秒批|秒到|低息).{0,6}(?:贷|借)|网贷|套现|博彩|时时彩|开元棋牌|澳门.{0,4}(?:赌|娱乐)",
)
"""Gains, loans and games of chance."""

ELSEWHERE: Final = (
    (
        r"\b(?:whats ?app|telegram|signal|wechat|line|kik|snapchat)\b.{0,15}"
        r"(?:\+?\d[\d -]{6,}|@\w{3,})"
    ),
    (
        r"\b(?:contact|text|call|message|add|dm) (?:me|us|him|her)?\b.{0,20}"
        r"(?:\+?\d[\d -]{7,}|\bwhats ?app\b|\btelegram\b)"
    ),
    r"(?:加|联系|咨询)(?:我|客服)?(?:微信|qq|扣扣|薇信|威信|vx|wx|电报|飞机)",
    r"(?:微信|薇信|威信|vx|wx|qq|扣扣)(?:号)?[:: ]?[a-z0-9_-]{5,}",
)
"""Draws the talk away to where nobody looks."""

PATTERNS: Final = tuple(
    (reason, weight, tuple(re.compile(pattern, re.DOTALL) for pattern in patterns))
    for reason, weight, patterns in (
        ("asks_for_secret", 6, SECRETS),
        ("impersonation", 3, IMPERSONATION),
        ("pressure", 2, PRESSURE),
        ("prize", 3, PRIZES),
        ("advance_fee", 3, ADVANCE),
        ("gains", 4, GAINS),
        ("contact_elsewhere", 3, ELSEWHERE),
    )
)
"""Each reason with its weight. It counts once, however often it is met."""

SHORTENERS: Final = frozenset(
    (
        *("bit.ly", "tinyurl.com", "t.co", "goo.gl", "is.gd", "ow.ly", "buff.ly"),
        *("cutt.ly", "rebrand.ly", "rb.gy", "shorturl.at", "t.ly", "tiny.cc", "s.id"),
        *("v.gd", "t.cn", "dwz.cn", "url.cn", "suo.im", "985.so", "w.url.cn"),
    )
)
"""Hosts that hide where a link leads."""
