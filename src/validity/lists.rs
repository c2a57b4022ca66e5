//! The lists; each file says where it comes from.

use std::{collections::HashSet, iter::successors, sync::LazyLock};

static DISPOSABLE: LazyLock<HashSet<&str>> = LazyLock::new(|| entries(include_str!("lists/disposable.txt")));
static FREE: LazyLock<HashSet<&str>> = LazyLock::new(|| entries(include_str!("lists/free.txt")));
static ROLES: LazyLock<HashSet<&str>> = LazyLock::new(|| entries(include_str!("lists/roles.txt")));

fn entries(list: &'static str) -> HashSet<&'static str> {
    list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Whether addresses at a domain, in lower case, are made to be thrown away.
pub(super) fn is_disposable(domain: &str) -> bool {
    is_under(&DISPOSABLE, domain)
}

/// Whether anybody gets a mailbox at a domain, in lower case.
pub(super) fn is_free(domain: &str) -> bool {
    is_under(&FREE, domain)
}

/// Whether a name, in lower case, is that of a desk and not of a person.
pub(super) fn is_role(name: &str) -> bool {
    ROLES.contains(name)
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
        let strange: Vec<&&str> = DISPOSABLE.union(&FREE).filter(|entry| !domain(entry)).collect();

        assert_eq!(strange, Vec::<&&str>::new());
        assert_eq!(DISPOSABLE.intersection(&FREE).count(), 0);
        assert!(ROLES.iter().all(|name| name.to_lowercase() == **name && !name.contains(['+', '@', ' '])));
        assert!(DISPOSABLE.len() > 9_000 && FREE.len() > 4_000 && ROLES.len() > 900);
    }

    #[test]
    fn no_entry_takes_in_the_companies_of_a_whole_registry() {
        let registries: Vec<&&str> = DISPOSABLE
            .union(&FREE)
            .filter(|entry| {
                psl::suffix(entry.as_bytes()).is_some_and(|suffix| {
                    suffix.typ() == Some(psl::Type::Icann) && suffix.as_bytes() == entry.as_bytes()
                })
            })
            .collect();

        assert_eq!(registries, Vec::<&&str>::new());
    }

    #[test]
    fn companies_and_names_are_on_no_list() {
        for domain in ["apple.com", "ibm.com", "facebook.com", "sap.com", "mit.edu", "acme.example", "com"] {
            assert!(!is_disposable(domain) && !is_free(domain), "{domain}");
        }
        for name in ["jane", "per", "alexa", "paris", "md", "j"] {
            assert!(!is_role(name), "{name}");
        }
    }
}
