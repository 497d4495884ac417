"""What pkilint finds of warnings and worse in certificates and CRLs, all of them in one process.

Reads JSON: a list of [issuer, [certificate, ...], [CRL, ...]], each a path of a PEM file. Writes for
each finding a line: the path, the severity and the finding's id, with tabs between them.
"""

import json
import sys

from pkilint import loader, pkix
from pkilint.bin import lint_pkix_signer_signee_cert_chain as chain
from pkilint.pkix import certificate, crl, extension, name
from pkilint.validation import ValidationFindingSeverity

CERTIFICATE = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(
        name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
    ),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)

CRL = crl.create_pkix_crl_validator_container(
    [
        pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
        pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
    ],
    [
        crl.create_issuer_validator_container([]),
        crl.create_validity_validator_container([]),
        crl.create_extensions_validator_container([]),
    ],
)

DECODING = chain.create_decoder_validation_container()
ISSUER = chain.create_issuer_validation_container()
SUBJECT = chain.create_subject_validation_container()


def load(path, document_loader, *more):
    with open(path, encoding="ascii") as file:
        text = file.read()
    # Of a file with a private key, the certificate behind it.
    begin = max(text.find("-----BEGIN CERTIFICATE-----"), 0)
    return document_loader.load_pem_document(text[begin:], path, *more)


def tell(path, results):
    for result in results:
        for description in result.finding_descriptions:
            finding = description.finding
            if finding.severity <= ValidationFindingSeverity.WARNING:
                print(path, finding.severity.name, finding.code, sep="\t")


def judge_pair(issuer_path, subject_path, certificates):
    pair = {}
    for path, role in ((issuer_path, "issuer"), (subject_path, "subject")):
        pair[role] = load(path, certificates, role, pair)
    results = DECODING.validate(pair["issuer"].root) + DECODING.validate(pair["subject"].root)
    results += ISSUER.validate(pair["issuer"].root)
    return results + SUBJECT.validate(pair["subject"].root)


def main():
    certificates = loader.RFC5280CertificateDocumentLoader()
    crls = loader.RFC5280CertificateListDocumentLoader()
    for issuer, subjects, lists in json.load(sys.stdin):
        for path in [issuer, *subjects]:
            tell(path, CERTIFICATE.validate(load(path, certificates).root))
            tell(path, judge_pair(issuer, path, certificates))
        for path in lists:
            tell(path, CRL.validate(load(path, crls).root))


main()
