//! The lists of domains and desk names. Each file says where it comes from.

use std::{collections::HashSet, iter::successors, sync::LazyLock};

static DISPOSABLE: LazyLock<HashSet<&str>> = LazyLock::new(|| entries(include_str!("lists/disposable.txt")));
static FREE: LazyLock<HashSet<&str>> = LazyLock::new(|| entries(include_str!("lists/free.txt")));
static HOSTS: LazyLock<HashSet<&str>> = LazyLock::new(|| entries(include_str!("lists/hosts.txt")));
static ROLES: LazyLock<HashSet<&str>> = LazyLock::new(|| entries(include_str!("lists/roles.txt")));

fn entries(list: &'static str) -> HashSet<&'static str> {
    list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Whether addresses at a domain are disposable. The domain must be in lower case.
pub(super) fn is_disposable(domain: &str) -> bool {
    is_under(&DISPOSABLE, domain)
}

/// Whether anybody gets a mailbox at a domain. The domain must be in lower case.
pub(super) fn is_free(domain: &str) -> bool {
    is_under(&FREE, domain)
}

/// Whether a domain hosts pages of other people and companies, such as a social network. The domain must be
/// in lower case.
pub(super) fn is_page_host(domain: &str) -> bool {
    is_under(&HOSTS, domain)
}

/// Whether a local part is that of a desk and not of a person: `sales`, `sales-team`, `sales2`, `sales.uk`.
/// The local part must be in lower case.
pub(super) fn is_role(name: &str) -> bool {
    let is_letter = |part: &&str| part.chars().count() == 1 && part.chars().all(char::is_alphabetic);
    let parts: Vec<&str> = name.split(['.', '-', '_']).filter(|part| !part.is_empty()).collect();
    // A single letter is the initial of a first name: `b.rand` is a person called Rand, not `brand`.
    if parts.len() > 1 && parts.iter().any(is_letter) {
        return false;
    }
    let anywhere = match parts.as_slice() {
        [own @ .., last] if last.len() == 2 && last.chars().all(char::is_alphabetic) => own,
        all => all,
    };
    [&parts, anywhere].into_iter().map(<[&str]>::concat).any(|word| {
        ROLES.contains(word.as_str()) || ROLES.contains(word.trim_end_matches(|c: char| c.is_ascii_digit()))
    })
}

fn is_under(list: &HashSet<&str>, domain: &str) -> bool {
    successors(Some(domain), |domain| above(domain)).any(|domain| list.contains(domain))
}

fn above(domain: &str) -> Option<&str> {
    domain.split_once('.').map(|(_, above)| above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_hold_what_is_looked_up_and_no_domain_stands_in_two() {
        let domain = |entry: &str| {
            entry.contains('.') && entry.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.'))
        };
        let domains = || [&DISPOSABLE, &FREE, &HOSTS].into_iter().flat_map(|list| list.iter());
        let strange: Vec<&&str> = domains().filter(|entry| !domain(entry)).collect();
        let known: HashSet<&&str> = domains().collect();

        assert_eq!(strange, Vec::<&&str>::new());
        assert_eq!(known.len(), domains().count());
        assert!(ROLES.iter().all(|name| name.chars().all(|c| c.is_lowercase() || c.is_ascii_digit())));
        assert!(DISPOSABLE.len() > 9_000 && FREE.len() > 4_000 && ROLES.len() > 900 && HOSTS.len() > 80);
    }

    #[test]
    fn no_entry_takes_in_the_companies_of_a_whole_registry() {
        let registries: Vec<&&str> = DISPOSABLE
            .union(&FREE)
            .filter(|entry| {
                psl::suffix(entry.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix == **entry)
            })
            .collect();

        assert_eq!(registries, Vec::<&&str>::new());
    }

    #[test]
    fn a_desk_is_known_however_its_name_is_written() {
        let written =
            ["no-reply", "noreply", "no_reply", "sales.team", "info-de", "info.uk", "sales2", "support-1"];
        for name in written.iter().chain(&["info", "einkauf", "vertrieb", "rechnung", "ventes", "dpo", "cto"])
        {
            assert!(is_role(name), "{name}");
        }
    }

    #[test]
    fn companies_and_names_are_on_no_list() {
        for domain in ["apple.com", "ibm.com", "facebook.com", "sap.com", "mit.edu", "acme.example", "com"] {
            assert!(!is_disposable(domain) && !is_free(domain), "{domain}");
        }
        let names = [
            "jane", "per", "alexa", "paris", "china", "india", "berlin", "md", "j", "b.rand", "jane.uk", "1",
            "-",
        ];
        for name in names {
            assert!(!is_role(name), "{name}");
        }
    }
}
