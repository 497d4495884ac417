//! The form of values of which no rule asks what they say: an extension that has not the form of its
//! definition makes the whole certificate invalid for OpenSSL, whatever it would say.

use super::der::{self, Element};

/// A SEQUENCE of elements that all are as `is_right` has it; elements of a SEQUENCE OF.
fn is_sequence_of(element: &Element<'_>, is_right: impl Fn(&Element<'_>) -> bool) -> bool {
    let elements = element.elements();
    element.is_sequence_of() && elements.is_some_and(|all| all.iter().all(is_right))
}

/// Whether it is an INTEGER, in the fewest octets.
pub(super) fn is_integer(element: &Element<'_>) -> bool {
    element.tag == der::INTEGER && is_number(element.content)
}

/// Whether these can be the octets of an INTEGER: one or more, and the first is needed.
pub(super) fn is_number(octets: &[u8]) -> bool {
    match octets {
        [] => false,
        [0x00, second, ..] => second & 0x80 != 0,
        [0xff, second, ..] => second & 0x80 == 0,
        _ => true,
    }
}

/// Whether it is an OBJECT IDENTIFIER.
pub(super) fn is_object_identifier(element: &Element<'_>) -> bool {
    element.tag == der::OBJECT_IDENTIFIER && are_arcs(element.content)
}

/// Whether these can be the octets of an OBJECT IDENTIFIER: arcs that end, in the fewest octets.
pub(super) fn are_arcs(octets: &[u8]) -> bool {
    let ends = octets.last().is_some_and(|last| last & 0x80 == 0);
    let mut starts = octets.split_inclusive(|octet| octet & 0x80 == 0);
    ends && starts.all(|arc| arc[0] != 0x80)
}

/// Whether it is a BIT STRING.
pub(super) fn is_bit_string(element: &Element<'_>) -> bool {
    element.tag == der::BIT_STRING && are_bits(element.content)
}

/// Whether these can be the octets of a BIT STRING: the first says how many bits of the last count not.
pub(super) fn are_bits(octets: &[u8]) -> bool {
    octets.first().is_some_and(|unused| *unused <= 7)
}

fn is_null(element: &Element<'_>) -> bool {
    element.tag == der::NULL && element.content.is_empty()
}

/// ProxyCertInfo (RFC 3820 3.8).
pub(super) fn is_proxy_cert_info(value: &[u8]) -> bool {
    let fields = Element::tagged(value, der::SEQUENCE).and_then(|info| info.elements());
    match fields.as_deref() {
        Some([policy]) => is_proxy_policy(policy),
        Some([length, policy]) => is_integer(length) && is_proxy_policy(policy),
        _ => false,
    }
}

fn is_proxy_policy(policy: &Element<'_>) -> bool {
    let fields = policy.elements();
    let is_right = match fields.as_deref() {
        Some([language]) => is_object_identifier(language),
        Some([language, policy]) => {
            is_object_identifier(language) && policy.tag == der::OCTET_STRING
        }
        _ => false,
    };
    policy.tag == der::SEQUENCE && is_right
}

/// OtherName (RFC 5280 4.2.1.6), behind an implicit tag.
pub(super) fn is_other_name(name: &Element<'_>) -> bool {
    match name.elements().as_deref() {
        Some([kind, value]) => {
            let is_explicit = value.tag == der::constructed(0) && value.only().is_some();
            is_object_identifier(kind) && is_explicit
        }
        _ => false,
    }
}

/// EDIPartyName (RFC 5280 4.2.1.6), behind an implicit tag.
pub(super) fn is_edi_party_name(name: &Element<'_>) -> bool {
    let fields = name.optional([der::constructed(0), der::constructed(1)]);
    let is_text = |field: &Element<'_>| field.only().is_some_and(|text| is_directory_string(&text));
    match fields {
        Some([assigner, Some(party)]) => assigner.is_none_or(|it| is_text(&it)) && is_text(&party),
        _ => false,
    }
}

fn is_directory_string(text: &Element<'_>) -> bool {
    const TAGS: [u8; 5] = [0x0c, 0x13, 0x14, 0x1c, 0x1e];
    TAGS.contains(&text.tag)
}

/// AttributeTypeAndValue (RFC 5280 4.1.2.4).
pub(super) fn is_attribute(attribute: &Element<'_>) -> bool {
    let fields = attribute.elements();
    let is_right = match fields.as_deref() {
        Some([kind, _]) => is_object_identifier(kind),
        _ => false,
    };
    attribute.tag == der::SEQUENCE && is_right
}

/// IPAddrBlocks (RFC 3779 2.2.3).
pub(super) fn is_ip_addr_blocks(value: &[u8]) -> bool {
    let blocks = Element::sequence_of(value);
    blocks.is_some_and(|blocks| is_sequence_of(&blocks, is_address_family))
}

fn is_address_family(family: &Element<'_>) -> bool {
    let fields = family.elements();
    let is_right = match fields.as_deref() {
        Some([family, choice]) => {
            let is_choice = is_null(choice) || is_sequence_of(choice, is_address_or_range);
            family.tag == der::OCTET_STRING && is_choice
        }
        _ => false,
    };
    family.tag == der::SEQUENCE && is_right
}

fn is_address_or_range(element: &Element<'_>) -> bool {
    is_bit_string(element) || is_range_of(element, is_bit_string)
}

/// ASIdentifiers (RFC 3779 3.2.3).
pub(super) fn is_as_identifiers(value: &[u8]) -> bool {
    let tags = [der::constructed(0), der::constructed(1)];
    let is_choice = |field: &Element<'_>| {
        let choice = field.only();
        choice.is_some_and(|choice| is_null(&choice) || is_sequence_of(&choice, is_number_or_range))
    };
    let fields = Element::tagged(value, der::SEQUENCE).and_then(|all| all.optional(tags));
    fields.is_some_and(|fields| fields.iter().flatten().all(is_choice))
}

fn is_number_or_range(element: &Element<'_>) -> bool {
    is_integer(element) || is_range_of(element, is_integer)
}

/// A SEQUENCE of the least and the greatest.
fn is_range_of(element: &Element<'_>, is_end: impl Fn(&Element<'_>) -> bool) -> bool {
    let is_pair = element.elements().is_some_and(|ends| ends.len() == 2);
    is_pair && is_sequence_of(element, is_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_an_identifier_has_no_octet_too_many() {
        for (octets, is_right) in [
            (&[][..], false),
            (&[0], true),
            (&[0, 0x7f], false),
            (&[0, 0x80], true),
            (&[0xff, 0x80], false),
            (&[0xff, 0x7f], true),
        ] {
            assert_eq!(is_number(octets), is_right, "{octets:?}");
        }
        for (octets, is_right) in [
            (&[][..], false),
            (&[0x55, 0x1d], true),
            (&[0x55, 0x81], false),
            (&[0x55, 0x80, 0x01], false),
            (&[0x55, 0x81, 0x80, 0x01], true),
        ] {
            assert_eq!(are_arcs(octets), is_right, "{octets:?}");
        }
    }

    #[test]
    fn resources_are_inherited_or_listed() {
        let inherited = [0x30, 8, 0x30, 6, 4, 2, 0, 1, 5, 0];
        let listed = [0x30, 11, 0x30, 9, 4, 2, 0, 1, 0x30, 3, 3, 1, 0];
        assert!(is_ip_addr_blocks(&inherited) && is_ip_addr_blocks(&listed));
        assert!(is_as_identifiers(&[0x30, 4, 0xa0, 2, 5, 0]));
        assert!(is_as_identifiers(&[0x30, 7, 0xa1, 5, 0x30, 3, 2, 1, 1]));
        for bad in [&[5, 0][..], &[0x30, 2, 5, 0], &[0x30, 4, 0xa2, 2, 5, 0]] {
            assert!(
                !is_ip_addr_blocks(bad) && !is_as_identifiers(bad),
                "{bad:?}"
            );
        }
    }
}
