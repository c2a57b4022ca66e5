//! Tests: which word holds for a channel.

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn word(state: State, hours: i64) -> Word {
    Word { state, since: DateTime::UNIX_EPOCH + TimeDelta::hours(hours) }
}

fn identity(number: u128) -> IdentityId {
    IdentityId(uuid::Uuid::from_u128(number))
}

fn said(number: u128, channel: Channel, word: Word) -> Said {
    Said { identity: identity(number), channel, word, list: None }
}

/// The word that holds for mails, for a person with these words.
fn mails(words: &[Said]) -> Option<Word> {
    of_one(words.iter().cloned()).get(&Channel::Email).copied()
}

/// The word that holds for mails, for one identity with these words.
fn stands(words: &[Word]) -> Word {
    mails(&words.iter().map(|word| said(1, Channel::Email, *word)).collect::<Vec<_>>()).unwrap()
}

#[test]
fn a_later_yes_answers_a_no_and_of_one_instant_the_no_stands() {
    assert_eq!(stands(&[word(State::Granted, 2), word(State::Complained, 1)]), word(State::Granted, 2));
    assert_eq!(stands(&[word(State::Complained, 1), word(State::Granted, 2)]), word(State::Granted, 2));
    assert_eq!(stands(&[word(State::Granted, 1), word(State::Withdrawn, 2)]), word(State::Withdrawn, 2));
    assert_eq!(stands(&[word(State::Granted, 1), word(State::Withdrawn, 1)]), word(State::Withdrawn, 1));
}

#[test]
fn a_bounce_never_takes_the_place_of_a_no() {
    for no in [State::Withdrawn, State::Complained] {
        for bounced in [1, 2, 3] {
            assert_eq!(stands(&[word(no, 2), word(State::Bounced, bounced)]), word(no, 2), "{bounced}");
        }
        let back = [word(no, 1), word(State::Bounced, 2), word(State::Granted, 3)];
        assert_eq!(stands(&back), word(State::Granted, 3));
        let gone = [word(no, 1), word(State::Granted, 2), word(State::Bounced, 3)];
        assert_eq!(stands(&gone), word(State::Bounced, 3));
    }
}

#[test]
fn a_yes_to_a_list_answers_a_no_to_that_list_alone() {
    let of = |state: State, hours: i64, list: Option<&str>| Said {
        list: list.map(str::to_owned),
        ..said(1, Channel::Email, word(state, hours))
    };
    let (weekly, daily) = (Some("sendgrid/10"), Some("sendgrid/11"));
    let yes = of(State::Granted, 5, weekly);

    for (no, state) in [(weekly, State::Granted), (daily, State::Withdrawn), (None, State::Withdrawn)] {
        let words = [of(State::Withdrawn, 1, no), yes.clone()];
        assert_eq!(mails(&words).unwrap().state, state, "{no:?}");
    }
    let bounce = of(State::Bounced, 1, None);
    assert_eq!(mails(&[bounce, yes.clone()]).unwrap().state, State::Bounced);
    let all = [of(State::Withdrawn, 1, daily), of(State::Complained, 2, None), of(State::Granted, 3, None)];
    assert_eq!(mails(&all).unwrap().state, State::Granted, "a yes without a list answers everything");
}

#[test]
fn an_event_names_the_list_of_its_provider() {
    let list = |properties: Value| {
        let Value::Object(properties) = properties else { unreachable!() };
        let kind = properties.get("kind").and_then(Value::as_str).unwrap_or("email_unsubscribed").to_owned();
        let event = EventKey::of("e");
        fact(identity(1), event, DateTime::UNIX_EPOCH, &kind, &properties).unwrap().said.list
    };

    assert_eq!(list(json!({"list": "10", "provider": "sendgrid"})).as_deref(), Some("sendgrid/10"));
    assert_eq!(list(json!({"list": 10, "provider": "sendgrid"})).as_deref(), Some("sendgrid/10"));
    assert_eq!(list(json!({"list": "news"})).as_deref(), Some("/news"));
    assert_eq!(list(json!({"list": "x".repeat(9_000)})).unwrap().len(), LONGEST_LIST);
    for none in [json!({}), json!({"list": " "}), json!({"list": null}), json!({"list": ["a"]})] {
        assert_eq!(list(none.clone()), None, "{none}");
    }
    assert_eq!(list(json!({"list": "10", "kind": "email_bounced"})), None, "a bounce is of the address");
}

#[test]
fn anybody_may_refuse_and_a_person_alone_may_agree() {
    assert!(!holds(State::Granted, Verdict::Machine));
    assert!(holds(State::Granted, Verdict::Suspect) && holds(State::Granted, Verdict::Human));
    assert!(
        [State::Bounced, State::Withdrawn, State::Complained]
            .iter()
            .all(|state| holds(*state, Verdict::Machine))
    );
}

#[test]
fn of_several_identities_the_most_restrictive_word_holds() {
    let words = [
        said(1, Channel::Email, word(State::Granted, 9)),
        said(2, Channel::Email, word(State::Withdrawn, 1)),
        said(2, Channel::Phone, word(State::Granted, 3)),
    ];

    let channels = of_one(words);

    assert_eq!(channels[&Channel::Email], word(State::Withdrawn, 1));
    assert_eq!(channels[&Channel::Phone].state, State::Granted);
    assert_eq!(channels.get(&Channel::Sms), None);
}

#[test]
fn a_full_mailbox_says_nothing_of_consent() {
    let bounce = |kind: &str| Map::from_iter([("bounce_type".to_owned(), Value::from(kind))]);
    assert_eq!(state("email_bounced", &bounce("soft")), None);
    assert_eq!(state("email_bounced", &bounce("hard")), Some((Channel::Email, State::Bounced)));
    assert_eq!(state("email_bounced", &Map::new()), Some((Channel::Email, State::Bounced)));
}

/// Words on mails by the identities of one person; some have the same instant.
fn words() -> impl Strategy<Value = Vec<Said>> {
    let state =
        prop::sample::select(vec![State::Granted, State::Bounced, State::Withdrawn, State::Complained]);
    let list = prop::sample::select(vec![None, Some("a"), Some("b")]);
    let one = (1..4_u128, state, 0..8_i64, list).prop_map(|(number, state, hours, list)| Said {
        list: list.filter(|_| state != State::Bounced).map(str::to_owned),
        ..said(number, Channel::Email, word(state, hours))
    });
    prop::collection::vec(one, 0..12)
}

/// Whether a word refuses mails.
fn refuses(state: State) -> bool {
    state >= State::Withdrawn
}

/// Whether a grant answers a refusal: it is later, by the same identity, and for all mails or for the same
/// list.
fn answers(yes: &Said, no: &Said) -> bool {
    yes.word.state == State::Granted
        && yes.identity == no.identity
        && yes.word.since > no.word.since
        && (yes.list.is_none() || yes.list == no.list)
}

proptest! {
    #[test]
    fn the_order_in_which_words_come_says_nothing(words in words(), seed in any::<prop::sample::Index>()) {
        let mut turned = words.clone();
        turned.rotate_left(if words.is_empty() { 0 } else { seed.index(words.len()) });
        turned.reverse();

        prop_assert_eq!(mails(&turned), mails(&words));
    }

    #[test]
    fn a_person_is_written_to_again_only_by_its_own_later_yes(words in words()) {
        let open = words.iter().any(|no| {
            refuses(no.word.state) && !words.iter().any(|yes| answers(yes, no))
        });

        prop_assert_eq!(mails(&words).is_some_and(|word| refuses(word.state)), open);
    }

    #[test]
    fn a_bounce_changes_no_refusal(words in words()) {
        let quiet: Vec<Said> = words.iter().filter(|said| said.word.state != State::Bounced).cloned().collect();
        let refusal = |words: &[Said]| mails(words).filter(|word| refuses(word.state));

        prop_assert_eq!(refusal(&words), refusal(&quiet));
    }
}
