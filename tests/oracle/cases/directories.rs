//! A directory as ca-file: which of its certificates HAProxy trusts.

use super::super::forge::{Certificate, leaf, root};
use super::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let left_out = |name, files: Vec<(&'static str, Vec<Certificate>)>| {
        case(name)
            .trusted([stranger()])
            .ca_directory(files)
            .refused("issuer-missing", 0)
    };
    let beside = |name| vec![(name, vec![root()]), ("b.pem", vec![stranger()])];
    let read = |name, file| case(name).ca_directory([(file, vec![root()])]);
    vec![
        read("a_pem_file_of_a_directory_is_read", "a.pem"),
        read("a_crt_file_of_a_directory_is_read", "a.crt"),
        read("a_cer_file_of_a_directory_is_read", "a.cer"),
        read(
            "a_crl_file_of_a_directory_is_read_for_certificates",
            "a.crl",
        ),
        read("a_name_with_two_endings_has_the_last_of_them", "a.txt.pem"),
        left_out("a_txt_file_of_a_directory_is_left_out", beside("a.txt")),
        left_out("a_file_without_an_ending_is_left_out", beside("pem")),
        left_out("an_ending_in_capitals_is_another_ending", beside("a.PEM")),
        left_out("a_hidden_file_of_a_directory_is_left_out", beside(".a.pem")),
        left_out("a_file_that_is_all_ending_is_left_out", beside(".pem")),
        left_out(
            "the_second_certificate_of_a_file_in_a_directory_is_left_out",
            vec![("a.pem", vec![stranger(), root()])],
        ),
        case("a_file_without_a_certificate_does_no_harm_in_a_directory")
            .ca_directory([("a.pem", vec![]), ("b.pem", vec![root()])]),
        ordered(
            "files_of_a_directory_are_read_by_name_the_right_one_first",
            ["a.pem", "b.pem"],
        ),
        ordered(
            "files_of_a_directory_are_read_by_name_the_right_one_last",
            ["b.pem", "a.pem"],
        )
        .trusted([twin(), root()])
        .refused("signature-invalid", 0),
    ]
}

fn stranger() -> Certificate {
    root().named("/CN=stranger").key("p256-stranger")
}

fn twin() -> Certificate {
    root().key("p256-twin")
}

/// A leaf that does not say which of two roots of one name has signed it: the first one counts.
fn ordered(name: &'static str, [of_root, of_twin]: [&'static str; 2]) -> Case {
    case(name)
        .leaf(leaf().without("authorityKeyIdentifier"))
        .trusted([root(), twin()])
        .ca_directory([(of_root, vec![root()]), (of_twin, vec![twin()])])
}
