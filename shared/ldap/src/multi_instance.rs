//! The users of one of several instances with one directory.

use crate::Ldap;
use crate::filter::{any, configured, equals};

/// The filter that the operator has configured for users. Users who belong to every instance, by the master identifier in one of the
/// attributes of members and guests, are found whatever it says of this instance.
pub(crate) fn user_filter(config: &Ldap) -> Option<String> {
    let filter = configured(&config.user_filter)?;
    let master = &config.multi_instance_master_id;
    if !config.multi_instance_enabled || master.is_empty() {
        return Some(filter);
    }
    let attributes = [&config.user_schema.member, &config.user_schema.guest].into_iter();
    let of_master: Vec<_> =
        attributes.filter(|attribute| !attribute.is_empty()).map(|attribute| equals(attribute, master)).collect();
    Some(if of_master.is_empty() { filter } else { any(&[filter, any(&of_master)]) })
}

#[cfg(test)]
mod tests {
    use ldap3::parse_filter;

    use super::*;

    fn config(filter: &str, master: &str, [member, guest]: [&str; 2]) -> Ldap {
        let mut config = Ldap {
            user_filter: filter.to_owned(),
            multi_instance_enabled: true,
            multi_instance_master_id: master.to_owned(),
            ..Ldap::default()
        };
        (config.user_schema.member, config.user_schema.guest) = (member.to_owned(), guest.to_owned());
        config
    }

    /// `docs/security-requirements.md#d44`
    #[test]
    fn master_identifier_stays_one_value() {
        let attributes = ["memberOf", "guestOf"];
        let filter = user_filter(&config("(memberOf=a)", "a*)(b", attributes)).expect("a filter");
        assert_eq!(filter, r"(|(memberOf=a)(|(memberOf=a\2a\29\28b)(guestOf=a\2a\29\28b)))");
        assert!(parse_filter(filter).is_ok());
        let without_brackets = user_filter(&config("memberOf=a", "all", ["memberOf", ""])).expect("a filter");
        assert_eq!(without_brackets, "(|(memberOf=a)(|(memberOf=all)))");
    }

    #[test]
    fn filter_stays_as_it_is_without_a_master_or_attributes() {
        let attributes = ["memberOf", "guestOf"];
        let expected = Some("(memberOf=a)".to_owned());
        assert_eq!(user_filter(&config("(memberOf=a)", "", attributes)), expected);
        assert_eq!(user_filter(&config("(memberOf=a)", "all", ["", ""])), expected);
        let only = Ldap { multi_instance_enabled: false, ..config("(memberOf=a)", "all", attributes) };
        assert_eq!(user_filter(&only), expected);
        assert_eq!(user_filter(&config("", "all", attributes)), None);
    }

    /// `docs/security-requirements.md#d44`
    #[test]
    fn master_identifier_needs_a_filter() {
        let in_use = |filter: &str, master: &str| {
            let anonymous = Ldap { bind_dn: String::new(), ..config(filter, master, ["memberOf", "guestOf"]) };
            anonymous.validate_in_use("ldap").map_err(|error| error.to_string())
        };
        assert_eq!(in_use("(memberOf=a)", "all"), Ok(()));
        assert_eq!(in_use("", ""), Ok(()));
        assert!(in_use(" ", "all").is_err_and(|problem| problem.starts_with("ldap.user_filter")));
    }
}
