//! The codes by which a pack says why a conversion is questioned. They are stable: a partner's own system may act on
//! them, so a code is never used for anything else, and what is retired stays in the table.

use super::Case;
use crate::base::text::Text;
use std::fmt;

/// Why conversions are questioned.
pub struct Reason {
    /// The word in every file.
    pub code: &'static str,
    /// Signals of which a finding gives this reason.
    pub signals: &'static [&'static str],
    /// What `reason_value` says.
    pub value: Value,
    /// It questions the click, and with it whatever else came of that click.
    pub spreads: bool,
    pub english: &'static str,
    pub russian: &'static str,
    /// What else could be behind it, in English and in Russian: for the partner, who has neither the rules nor this
    /// program. A rule's own list is for whoever runs it.
    pub innocent: &'static [[&'static str; 2]],
}

/// Reasons are told apart by their code.
impl PartialEq for Reason {
    fn eq(&self, other: &Reason) -> bool {
        self.code == other.code
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

/// What of a conversion a reason points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Nothing,
    CtitSeconds,
    Transaction,
    Click,
    Event,
    Network,
    Country,
    Status,
    Amount,
    FraudReason,
}

impl Value {
    /// The words for it.
    pub fn word(self) -> &'static str {
        match self {
            Value::Nothing => "",
            Value::CtitSeconds => "seconds from click to conversion",
            Value::Transaction => "transaction ID",
            Value::Click => "click ID",
            Value::Event => "event",
            Value::Network => "address of the conversion",
            Value::Country => "country of the conversion",
            Value::Status => "status",
            Value::Amount => "amount",
            Value::FraudReason => "the service's own reason",
        }
    }

    /// The value of one conversion; empty where it has none.
    pub(super) fn of(self, case: &Case) -> Text {
        let sample = &case.sample;
        let given = |text: &Option<Text>| text.clone().unwrap_or_else(|| Text::new(""));
        match self {
            Value::Nothing => Text::new(""),
            Value::CtitSeconds => Text::of_user(sample.ctit_s.map_or(String::new(), |s| s.to_string())),
            Value::Transaction => given(&sample.transaction_id),
            Value::Click => given(&sample.click_id),
            Value::Event => sample.event.clone(),
            Value::Network => given(&sample.address),
            Value::Country => given(&sample.country),
            Value::FraudReason => given(&sample.fraud_reason),
            Value::Status => Text::of_user(sample.status),
            Value::Amount => Text::of_user(sample.amount.map_or(String::new(), |a| a.to_cents())),
        }
    }
}

/// The reason that a finding on this signal gives.
pub fn reason(signal: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|reason| reason.signals.contains(&signal))
}

/// Every reason: those that are counted first, then those of the time from the click, of addresses, of what became of
/// the conversion, and of the clicks of the whole source.
#[rustfmt::skip]
pub const REASONS: &[Reason] = &[
    Reason {
        code: "replayed_transaction",
        signals: &["replayed_count", "repeated_transaction_share"],
        value: Value::Transaction,
        spreads: false,
        english: "The transaction had been reported before and is reported again as another conversion, later than a retry and without an allowed change of status.",
        russian: "Транзакция уже была передана раньше и передана ещё раз как новая конверсия: это не повтор запроса и не допустимая смена статуса.",
        innocent: &[
            ["transaction IDs that are not unique in the advertiser's system", "неуникальные ID транзакций в системе рекламодателя"],
            ["a report that was sent once more with new conversion IDs", "отчёт, который передали ещё раз с новыми ID конверсий"],
        ],
    },
    Reason {
        code: "shared_transaction",
        signals: &["shared_transaction_count"],
        value: Value::Transaction,
        spreads: false,
        english: "The transaction had been reported for another source before; one sale has one seller.",
        russian: "Эта транзакция раньше была передана по другому источнику; у одной продажи один продавец.",
        innocent: &[
            ["transaction IDs that repeat between offers or networks", "ID транзакций, которые повторяются у разных офферов или сетей"],
            ["one partner who runs both sources", "оба источника ведёт один партнёр"],
        ],
    },
    Reason {
        code: "address_of_another_country",
        signals: &["address_country_mismatch_share"],
        value: Value::Country,
        spreads: false,
        english: "The addresses of this source lie in another country than the export says.",
        russian: "Адреса этого источника находятся в другой стране, чем сказано в выгрузке.",
        innocent: &[
            ["carriers and relays whose addresses are registered abroad", "операторы и релеи, чьи адреса зарегистрированы за границей"],
            ["a database of addresses that is out of date", "устаревшая база адресов"],
        ],
    },
    Reason {
        code: "browser_without_a_screen",
        signals: &["headless_share"],
        value: Value::Nothing,
        spreads: true,
        english: "The clicks of this source come from browsers that a program drives without showing them to anybody.",
        russian: "Клики этого источника идут из браузеров, которыми управляет программа и которых никто не видит.",
        innocent: &[
            ["a monitoring or screenshot service that follows the links", "сервис мониторинга или снимков экрана, который ходит по ссылкам"],
            ["the operator's own tests", "собственные тесты владельца источника"],
        ],
    },
    Reason {
        code: "through_a_tunnel",
        signals: &["tor_share", "vpn_share"],
        value: Value::Nothing,
        spreads: true,
        english: "The clicks of this source come through VPNs or Tor, which hide where the visitor is.",
        russian: "Клики этого источника идут через VPN или Tor, которые скрывают, где находится посетитель.",
        innocent: &[
            ["an audience that guards its privacy, or lives where pages are blocked", "аудитория, которая бережёт приватность или живёт там, где страницы заблокированы"],
            ["employees behind their company's network", "сотрудники за сетью своей компании"],
        ],
    },
    Reason {
        code: "crawler",
        signals: &["crawler_share"],
        value: Value::Nothing,
        spreads: true,
        english: "The clicks of this source come from programs that a public list of crawlers names.",
        russian: "Клики этого источника идут от программ, которые названы в открытом списке роботов.",
        innocent: &[
            ["link previews of a messenger that the audience uses", "предпросмотр ссылок в мессенджере, которым пользуется аудитория"],
        ],
    },
    Reason {
        code: "forged_postback",
        signals: &["forged_postback_count", "forged_postback_share"],
        value: Value::Transaction,
        spreads: false,
        english: "The signature of the postback was not made with the secret that its sender and its receiver share.",
        russian: "Подпись постбэка сделана не тем секретом, который есть у отправителя и получателя.",
        innocent: &[
            ["a secret that was changed during the period", "секрет, который сменили в этот период"],
            ["a third party that sends postbacks in this source's name", "посторонний, который шлёт постбэки от имени этого источника"],
        ],
    },
    Reason {
        code: "replayed_postback",
        signals: &["replayed_postback_count", "replayed_postback_share"],
        value: Value::Transaction,
        spreads: false,
        english: "The same request, equal in every character, had been taken before.",
        russian: "Тот же запрос, совпадающий до последнего знака, уже был принят раньше.",
        innocent: &[
            ["a network that sends a whole day again after a fault", "сеть, которая после сбоя передаёт целый день ещё раз"],
        ],
    },
    Reason {
        code: "foreign_sender",
        signals: &["foreign_sender_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The postback came from an address that is not among those of its network.",
        russian: "Постбэк пришёл с адреса, которого нет среди адресов его сети.",
        innocent: &[
            ["a network that moved its servers or added some", "сеть, которая перенесла серверы или добавила новые"],
            ["postbacks that the visitor's browser sends", "постбэки, которые отправляет браузер посетителя"],
        ],
    },
    Reason {
        code: "wrong_token",
        signals: &["wrong_token_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The postback carries another token than the agreed one.",
        russian: "В постбэке не тот токен, о котором договорились.",
        innocent: &[
            ["a token that was changed during the period", "токен, который сменили в этот период"],
        ],
    },
    Reason {
        code: "without_token",
        signals: &["missing_token_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The postback lacks the token that was agreed on.",
        russian: "В постбэке нет токена, о котором договорились.",
        innocent: &[
            ["an offer whose postback link lacks the token", "оффер, в ссылке постбэка которого нет токена"],
        ],
    },
    Reason {
        code: "unsigned_postback",
        signals: &["unsigned_postback_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The postback lacks the signature that was agreed on.",
        russian: "В постбэке нет подписи, о которой договорились.",
        innocent: &[
            ["an offer or event that its network does not sign", "оффер или событие, которые сеть не подписывает"],
        ],
    },
    Reason {
        code: "macro_not_replaced",
        signals: &["postback_macro_share"],
        value: Value::Click,
        spreads: false,
        english: "The postback carries a macro in place of a value: its link was set up wrongly.",
        russian: "В постбэке вместо значения стоит макрос: ссылка настроена неверно.",
        innocent: &[
            ["a link that was set up wrongly", "неверно настроенная ссылка"],
            ["test postbacks", "тестовые постбэки"],
        ],
    },
    Reason {
        code: "postback_lost",
        signals: &["lost_postback_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The postback failed and was not sent again.",
        russian: "Постбэк не был принят и не был отправлен повторно.",
        innocent: &[
            ["a receiver that was down", "приёмник, который не работал"],
        ],
    },
    Reason {
        code: "postback_repeated",
        signals: &["retried_postback_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The postback was delivered more than once; it is counted once.",
        russian: "Постбэк доставлен несколько раз; он учтён один раз.",
        innocent: &[
            ["a network that sends every postback twice to be sure", "сеть, которая для надёжности шлёт каждый постбэк дважды"],
        ],
    },
    Reason {
        code: "repeated_event",
        signals: &["multi_conversion_click_share"],
        value: Value::Event,
        spreads: false,
        english: "An event that a person can do only once is reported again for the same click.",
        russian: "Событие, которое человек может совершить только один раз, передано по тому же клику повторно.",
        innocent: &[
            ["a household or an internet café that shares one link", "семья или интернет-кафе, где пользуются одной ссылкой"],
            ["an event that a customer of this advertiser may repeat", "событие, которое клиент этого рекламодателя вправе повторить"],
            ["a postback that two pixels fire", "постбэк, который отправляют два пикселя"],
        ],
    },
    Reason {
        code: "conversion_before_click",
        signals: &["before_click_share"],
        value: Value::Click,
        spreads: true,
        english: "The conversion happened before the click that it is attributed to.",
        russian: "Конверсия произошла раньше клика, к которому она отнесена.",
        innocent: &[
            ["clocks that differ by seconds", "часы, которые расходятся на секунды"],
            ["a wrong time zone for a part of the rows", "неверный часовой пояс у части строк"],
        ],
    },
    Reason {
        code: "no_such_click",
        signals: &["orphan_share"],
        value: Value::Click,
        spreads: true,
        english: "No recorded click has this click ID, although its click must lie in the recorded period.",
        russian: "Клика с таким ID нет среди записанных, хотя он должен лежать внутри записанного периода.",
        innocent: &[
            ["clicks of this source that were filtered before the export", "клики источника, которые отфильтровали до выгрузки"],
            ["a tracking domain that was down for some time", "домен трекера, который какое-то время не работал"],
        ],
    },
    Reason {
        code: "foreign_click_id",
        signals: &["foreign_id_share"],
        value: Value::Click,
        spreads: true,
        english: "The click ID has a form that none of the recorded clicks has: it was not issued by the tracker.",
        russian: "ID клика имеет вид, которого нет ни у одного записанного клика: трекер его не выдавал.",
        innocent: &[
            ["a second tracker or an app that issues IDs of its own", "второй трекер или приложение, которые выдают свои ID"],
            ["IDs that a spreadsheet cut or changed", "ID, которые обрезала или изменила электронная таблица"],
        ],
    },
    Reason {
        code: "counted_click_id",
        signals: &["id_step_share"],
        value: Value::Click,
        spreads: true,
        english: "The click IDs count on from one conversion to the next, as IDs that are made up do.",
        russian: "ID кликов идут подряд от конверсии к конверсии, как бывает у придуманных ID.",
        innocent: &[
            ["a tracker that numbers the clicks of each source", "трекер, который нумерует клики каждого источника"],
        ],
    },
    Reason {
        code: "missing_click_id",
        signals: &["missing_click_id_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The conversion carries no click ID, so that nothing ties it to a click.",
        russian: "У конверсии нет ID клика, поэтому ничто не связывает её с кликом.",
        innocent: &[
            ["coupon and telephone orders", "заказы по купону и по телефону"],
            ["a pixel without the parameter", "пиксель без этого параметра"],
        ],
    },
    Reason {
        code: "reused_click_id",
        signals: &["reused_click_id_share"],
        value: Value::Click,
        spreads: false,
        english: "Click IDs of this source are used by several clicks, at other times or under other sources.",
        russian: "Одни и те же ID кликов этого источника стоят у нескольких кликов: в другое время или у других источников.",
        innocent: &[
            ["a tracker that gives a visitor one ID", "трекер, который выдаёт посетителю один ID"],
            ["links that were copied or cached with their ID", "ссылки, которые скопировали или закешировали вместе с ID"],
        ],
    },
    Reason {
        code: "ctit_short",
        signals: &["ctit_short_share", "ctit_p05_s", "ctit_p25_s"],
        value: Value::CtitSeconds,
        spreads: true,
        english: "The conversion follows its click faster than a person can act.",
        russian: "Конверсия следует за кликом быстрее, чем может действовать человек.",
        innocent: &[
            ["an offer with one tap, or a form that is filled in beforehand", "оффер в одно касание или форма, заполненная заранее"],
            ["click tracking that stamps the redirect late", "трекинг, который отмечает время перехода с опозданием"],
        ],
    },
    Reason {
        code: "ctit_fixed_delay",
        signals: &["ctit_modal_share", "ctit_log_sd", "ctit_p50_s"],
        value: Value::CtitSeconds,
        spreads: true,
        english: "The conversions follow their clicks after almost the same number of seconds, as a script does; people differ.",
        russian: "Конверсии следуют за кликами почти через одно и то же число секунд, как у скрипта; люди так не совпадают.",
        innocent: &[
            ["a landing page or an advertiser that reports after a fixed wait", "лендинг или рекламодатель, которые отчитываются через одно и то же время"],
            ["conversions that were uploaded in one batch", "конверсии, загруженные одной партией"],
            ["times that were cut to whole minutes", "время, округлённое до минут"],
        ],
    },
    Reason {
        code: "ctit_long",
        signals: &["ctit_long_share", "ctit_hour_share"],
        value: Value::CtitSeconds,
        spreads: true,
        english: "The conversion comes so long after its click, as many of this source do, that it was probably brought about by something else (click flooding).",
        russian: "Конверсия приходит так поздно после клика, и так у многих конверсий источника, что её, вероятно, вызвал не этот клик (click flooding).",
        innocent: &[
            ["goods or services that people think over", "товары или услуги, которые долго обдумывают"],
            ["a review site or a mailing that people come back to", "сайт обзоров или рассылка, к которым люди возвращаются"],
            ["approval time reported as event time", "время одобрения, переданное как время события"],
        ],
    },
    Reason {
        code: "same_click",
        signals: &[],
        value: Value::Click,
        spreads: false,
        english: "The conversion came of the same click as one that is in question.",
        russian: "Конверсия получена по тому же клику, что и другая спорная конверсия.",
        innocent: &[],
    },
    Reason {
        code: "few_addresses",
        signals: &["conversion_top_ip_share", "conversion_distinct_ip_share"],
        value: Value::Network,
        spreads: false,
        english: "Conversions of this source come from a single address far more often than those of different people do.",
        russian: "Конверсии источника приходят с одного адреса гораздо чаще, чем у разных людей.",
        innocent: &[
            ["the advertiser's server in place of the visitor", "сервер рекламодателя вместо посетителя"],
            ["the gateway of a mobile carrier, an office or a shop", "шлюз мобильного оператора, офиса или магазина"],
        ],
    },
    Reason {
        code: "other_country",
        signals: &["country_mismatch_share"],
        value: Value::Country,
        spreads: false,
        english: "The conversion comes from another country than its click.",
        russian: "Конверсия пришла из другой страны, чем её клик.",
        innocent: &[
            ["travellers, roaming and VPN users", "путешественники, роуминг и пользователи VPN"],
            ["the advertiser's server in place of the customer", "сервер рекламодателя вместо клиента"],
        ],
    },
    Reason {
        code: "stuffed_click",
        signals: &["neighbour_click_share"],
        value: Value::Click,
        spreads: true,
        english: "The click came within seconds after another source's click of the same visitor.",
        russian: "Клик пришёл через несколько секунд после клика того же посетителя от другого источника.",
        innocent: &[
            ["retargeting, which reaches visitors of others by design", "ретаргетинг, который по замыслу показывается чужим посетителям"],
            ["two sources of one owner on one page", "два источника одного владельца на одной странице"],
            ["a coupon page that people look up last", "страница купонов, которую люди открывают последней"],
        ],
    },
    Reason {
        code: "conversion_burst",
        signals: &["conversion_burst_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The conversion is one of a burst within five minutes that the hours around do not explain.",
        russian: "Конверсия входит во всплеск за пять минут, который соседние часы не объясняют.",
        innocent: &[
            ["a mailing, a push message or a live event", "рассылка, пуш-сообщение или прямая трансляция"],
            ["a queue of postbacks that was emptied at once", "очередь постбэков, которую отправили разом"],
        ],
    },
    Reason {
        code: "rejected_by_advertiser",
        signals: &["approval_share"],
        value: Value::Status,
        spreads: false,
        english: "The advertiser rejects the conversions of this source far more often than is usual.",
        russian: "Рекламодатель отклоняет конверсии этого источника гораздо чаще обычного.",
        innocent: &[
            ["a strict or slow advertiser", "строгий или медленный рекламодатель"],
            ["rejections for a cap or a country, not for quality", "отказы из-за капа или страны, а не из-за качества"],
        ],
    },
    Reason {
        code: "taken_back",
        signals: &["chargeback_share"],
        value: Value::Status,
        spreads: false,
        english: "Payments of this source are refunded or charged back far more often than is usual.",
        russian: "Платежи по этому источнику возвращаются гораздо чаще обычного.",
        innocent: &[
            ["a product with many returns", "товар, который часто возвращают"],
            ["one card issuer with a fault", "сбой у одного банка-эмитента"],
        ],
    },
    Reason {
        code: "no_deposit",
        signals: &["registration_deposit_share"],
        value: Value::Event,
        spreads: false,
        english: "Registrations of this source hardly ever lead to a deposit.",
        russian: "За регистрациями этого источника почти никогда не следует депозит.",
        innocent: &[
            ["a page that promises something free", "страница, которая обещает что-то бесплатное"],
            ["an audience that may not play, or cannot pay", "аудитория, которой нельзя играть или нечем платить"],
            ["a cashier that was down", "касса, которая не работала"],
        ],
    },
    Reason {
        code: "single_deposit",
        signals: &["second_deposit_share"],
        value: Value::Event,
        spreads: false,
        english: "Players of this source deposit once and never again.",
        russian: "Игроки этого источника вносят один депозит и больше ни одного.",
        innocent: &[
            ["a bonus page that draws careful players", "страница бонусов, которая привлекает осторожных игроков"],
            ["players who have not had the time to come back", "игроки, которые ещё не успели вернуться"],
        ],
    },
    Reason {
        code: "least_deposit",
        signals: &["min_deposit_share", "amount_modal_share"],
        value: Value::Amount,
        spreads: false,
        english: "First payments are of the least amount that pays, or all of one amount.",
        russian: "Первые платежи равны наименьшей засчитываемой сумме или все одинаковы.",
        innocent: &[
            ["a country or a means of payment with small amounts", "страна или способ оплаты с небольшими суммами"],
            ["a bonus that rewards the least amount", "бонус за наименьшую сумму"],
        ],
    },
    Reason {
        code: "click_addresses",
        signals: &["top_ip_share", "top_network_share", "ip_hhi", "network_hhi", "distinct_ip_share", "crowd_click_share", "idle_crowd_p", "datacenter_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The clicks of the whole source crowd into few addresses or networks, or come from data centres.",
        russian: "Клики всего источника собраны в немногих адресах или сетях или приходят из дата-центров.",
        innocent: &[
            ["a carrier with a single gateway, a campus or a workplace", "оператор с одним шлюзом, кампус или рабочее место"],
            ["a privacy relay or corporate proxy that the audience uses", "релей приватности или корпоративный прокси у аудитории"],
        ],
    },
    Reason {
        code: "click_machines",
        signals: &["known_bot_share", "missing_user_agent_share", "missing_referrer_share", "lander_time_p50_s", "lander_click_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The clicks of the whole source look like a program's: known bots, no user agent or referrer, landing pages clicked at once.",
        russian: "Клики всего источника похожи на программные: известные боты, нет user agent или реферера, мгновенный клик на лендинге.",
        innocent: &[
            ["an app, a mailing or a messenger as the origin", "переход из приложения, рассылки или мессенджера"],
            ["search engines and link checkers that visit the page", "поисковые роботы и проверка ссылок, которые посещают страницу"],
        ],
    },
    Reason {
        code: "click_rhythm",
        signals: &["gap_cv", "gap_modal_share", "hour_r", "hour_spread", "burst_click_share", "fano_1m", "fano_5m", "repeat_60s_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The clicks of the whole source keep a rhythm that people do not: fixed gaps, bursts, no night, the same visitor again within a minute.",
        russian: "Клики всего источника идут в ритме, которого нет у людей: равные промежутки, всплески, без ночи, тот же посетитель в ту же минуту.",
        innocent: &[
            ["a placement that refreshes in fixed intervals", "площадка, которая обновляется через равные промежутки"],
            ["a platform that paces or portions the delivery", "платформа, которая дозирует показы"],
            ["traffic of many time zones under one country", "трафик многих часовых поясов под одной страной"],
        ],
    },
    Reason {
        code: "flagged_by_service",
        signals: &["fraud_flagged_share"],
        value: Value::FraudReason,
        spreads: true,
        english: "The tracker, the measurement service or an anti-fraud service blocked or flagged the conversion itself.",
        russian: "Конверсию заблокировал или пометил сам трекер, сервис аналитики или антифрод-сервис.",
        innocent: &[
            ["a service whose rule is set too strictly", "сервис, правило которого настроено слишком строго"],
            ["a validation rule of the app or offer, such as a country or a version", "правило проверки приложения или оффера, например страна или версия"],
        ],
    },
    Reason {
        code: "country_not_allowed",
        signals: &["disallowed_country_share"],
        value: Value::Country,
        spreads: false,
        english: "The conversion comes from a country that the offer does not take.",
        russian: "Конверсия из страны, которую оффер не принимает.",
        innocent: &[
            ["travellers and phones that roam", "путешественники и телефоны в роуминге"],
            ["a campaign that was set up for the wrong countries", "кампания, настроенная не на те страны"],
        ],
    },
    Reason {
        code: "clicks_lost",
        signals: &["click_loss_share"],
        value: Value::Nothing,
        spreads: false,
        english: "Far fewer clicks arrive than the traffic source sold: the rest opened no page, or was filtered as bots.",
        russian: "Приходит намного меньше кликов, чем продал источник трафика: остальные не открыли страницу или отфильтрованы как боты.",
        innocent: &[
            ["a slow redirect or landing page, in countries with slow networks", "медленный переход или лендинг в странах с медленными сетями"],
            ["a day that is cut in another time zone", "сутки, отсчитанные в другом часовом поясе"],
            ["a tracker that was down", "трекер, который не работал"],
        ],
    },
    Reason {
        code: "click_flood",
        signals: &["cr", "break_even_p", "converted_click_count"],
        value: Value::Nothing,
        spreads: false,
        english: "The source sends clicks in such numbers and with so few conversions that the conversions are probably others'.",
        russian: "Источник шлёт столько кликов при столь редких конверсиях, что конверсии, вероятно, чужие.",
        innocent: &[
            ["a cheap format, or an audience that does not fit the offer", "дешёвый формат или аудитория, которой оффер не подходит"],
            ["a rival who sends clicks under this source's name", "конкурент, который шлёт клики от имени этого источника"],
            ["a landing page that is broken for this source alone", "лендинг, который не работает только для этого источника"],
        ],
    },
    Reason {
        code: "brand_search",
        signals: &["brand_click_share", "brand_cr"],
        value: Value::Nothing,
        spreads: false,
        english: "The clicks are searches for the advertiser by name: people who were coming anyway.",
        russian: "Клики пришли по запросам с именем рекламодателя: эти люди пришли бы и так.",
        innocent: &[
            ["a source that may bid on the brand by contract", "источник, которому по договору можно покупать брендовые запросы"],
            ["a brand whose name is a common word", "бренд, имя которого — обычное слово"],
        ],
    },
    Reason {
        code: "broken_tracking",
        signals: &["unexpanded_macro_share", "unknown_status_share", "identical_row_share"],
        value: Value::Nothing,
        spreads: false,
        english: "The source's tracking is broken: macros that were never replaced, statuses that nobody knows, rows without an ID that repeat.",
        russian: "Трекинг источника неисправен: незаменённые макросы, неизвестные статусы, повторяющиеся строки без ID.",
        innocent: &[
            ["a campaign link that was set up wrongly", "неверно настроенная ссылка кампании"],
            ["test clicks", "тестовые клики"],
        ],
    },
    Reason {
        code: "unlike_peers",
        signals: &[],
        value: Value::Nothing,
        spreads: false,
        english: "The source as a whole differs from comparable sources far beyond what chance explains.",
        russian: "Источник в целом отличается от сопоставимых источников гораздо сильнее, чем может объяснить случай.",
        innocent: &[
            ["a source that is the only one of its kind", "источник, единственный в своём роде"],
            ["a fault of tracking that only this source has", "сбой трекинга только у этого источника"],
        ],
    },
];

/// The reason of what else came of a click in question.
pub fn same_click() -> &'static Reason {
    REASONS.iter().find(|reason| reason.code == "same_click").expect("it is in the table")
}

/// The reason of findings that no signal of the table stands for.
pub fn unlike_peers() -> &'static Reason {
    REASONS.last().expect("the table is not empty")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Class, RuleSet, builtin_files};
    use crate::signals;
    use std::collections::BTreeSet;

    #[test]
    fn codes_and_signals_are_unique_and_told_in_both_languages() {
        let codes: BTreeSet<&str> = REASONS.iter().map(|r| r.code).collect();
        assert_eq!(codes.len(), REASONS.len());
        let mut seen = BTreeSet::new();
        for reason in REASONS {
            assert!(reason.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", reason.code);
            assert!(reason.english.ends_with('.') && reason.russian.ends_with('.'), "{}", reason.code);
            // What only says that another conversion is in question has nothing to excuse.
            assert_eq!(reason.innocent.is_empty(), reason.code == "same_click", "{}", reason.code);
            for [english, russian] in reason.innocent {
                assert!(english.is_ascii() || english.contains('é'), "{english}");
                assert!(russian.chars().any(|c| ('а'..='я').contains(&c)), "{russian}");
                assert!(!english.ends_with('.') && !russian.ends_with('.'), "{english}");
                assert!(!english.contains("mapping"), "inside talk: {english}");
            }
            for name in reason.signals {
                assert!(signals::find(name).is_some(), "{name}");
                assert!(seen.insert(*name), "{name} has two reasons");
            }
        }
    }

    #[test]
    fn every_rule_that_may_accuse_has_a_reason() {
        let rules = RuleSet::of(&builtin_files()).expect("the built-in rules are without fault");
        for rule in rules.rules.iter().filter(|r| r.class != Class::Profit && !r.when.asks_of_the_whole()) {
            let told = rule.when.tests().into_iter().any(|test| reason(test.signal.name).is_some());
            assert!(told, "{}", rule.id);
        }
        assert_eq!((unlike_peers().code, same_click().code), ("unlike_peers", "same_click"));
    }
}
