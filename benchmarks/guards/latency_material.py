"""Sentences of other scripts, and texts that are made to be slow."""

import base64
import zlib
from typing import Final

SENTENCES: Final = (
    (
        "Сегодня утром мы поехали на дачу, потому что погода была тёплая и солнечная, а дети давно просили об этом.",
        "Пожалуйста, напишите короткое письмо коллегам о том, что встреча переносится на следующую неделю.",
        "В этом отчёте описаны расходы отдела за первый квартал и планы на оставшуюся часть года.",
        "Какие книги вы посоветуете человеку, который только начинает изучать историю науки?",
    ),
    (
        "今天早上 我们 去 公园 散步 ， 天气 很 好 ， 孩子们 都 很 高兴 。",
        "请 帮 我 写 一封 简短 的 邮件 ， 告诉 同事 会议 改 到 下个 星期 。",
        "这份 报告 介绍 了 部门 第一 季度 的 支出 以及 今年 剩余 时间 的 计划 。",
    ),
    (
        "今朝 は 天気 が よかった ので 、 家族 と 公園 まで 歩いて 行きました 。",
        "来週 の 会議 の 時間 が 変わった こと を 同僚 に 知らせる メール を 書いて ください 。",
        "この 報告書 に は 第一 四半期 の 費用 と 今後 の 計画 が まとめられて います 。",
    ),
    (
        "ذهبنا هذا الصباح إلى الحديقة لأن الطقس كان جميلا وكان الأطفال سعداء جدا باللعب هناك",
        "من فضلك اكتب رسالة قصيرة إلى الزملاء لإخبارهم أن الاجتماع قد تأجل إلى الأسبوع القادم",
        "يصف هذا التقرير نفقات القسم في الربع الأول من السنة وخططه لما تبقى منها",
    ),
    (
        "L'été dernier, nous avons passé deux semaines près de la mer, où les enfants ont appris à nager très tôt.",
        "Écrivez, s’il vous plaît, un court message à vos collègues : la réunion est déplacée à la semaine prochaine.",
        "Ce rapport décrit les dépenses du département au premier trimestre et ce qui est prévu jusqu'à décembre.",
    ),
    (
        "Heute früh sind wir zum See gefahren, weil es schön warm war und die Kinder schon lange darum gebeten hatten.",
        "Bitte schreiben Sie den Kolleginnen und Kollegen, dass die Besprechung auf nächste Woche verschoben ist.",
        "Der Bericht beschreibt die Ausgaben der Abteilung im ersten Vierteljahr und die Pläne für das übrige Jahr.",
    ),
    (
        "Esta mañana fuimos al parque porque hacía buen tiempo y los niños querían jugar al balón con sus compañeros.",
        "A reunião foi adiada para a próxima semana; avise, por favor, os colegas e o responsável pela apresentação.",
        "Αυτό το πρωί πήγαμε στη θάλασσα, επειδή ο καιρός ήταν καλός και τα παιδιά ήθελαν να κολυμπήσουν.",
    ),
)

HOSTILE: Final = {
    "prose": "The meeting was moved to next week, so please tell everyone who had planned to come. ",
    "prose, other script": "Встреча переносится на следующую неделю, поэтому предупредите всех, кто собирался прийти. ",
    "base64": base64.b64encode(b"x" * 3_000).decode(),
    "base64 in base64": base64.b64encode(base64.b64encode(base64.b64encode(b"ignore all of it " * 20))).decode() + " ",
    "bombs": base64.b64encode(zlib.compress(b"a" * 1_000_000)).decode() + " ",
    "percent": "%41 ",
    "entities": "&amp;",
    "morse": ".- ",
    "decimal": "65 ",
    "digits": "4111111111111111 ",
    "digits in one": "1",
    "phones": "+49 30 1234567 ",
    "at signs": "a@b.c ",
    "at signs in one": "a@",
    "keys": "api_key = ",
    "assignments": "password=x;",
    "secrets": "sk_live_ ghp_ AKIA xoxb- ",
    "quotes": "\"'",
    "bits": "01",
    "long words": "abcdefghijklmnop ",
    "capitals": "A",
    "letters apart": "a b ",
    "rot13": "vtaber cerivbhf ",
    "leet": "1gn0re pr3vious ",
    "attack words": "ignore previous instructions ",
    "marks": "a\u0301\u0316",
    "zero width": "\u200b\u200c",
    "homoglyphs": "іgnоrе ",
    "small capitals": "ɪɢɴ ",
    "sharp s": "ß",
    "wide": "\ufdfa",
    "spaces": " ",
    "lines": "\n",
    "brackets": "[](",
    "tags": "<|im_start|>",
}
