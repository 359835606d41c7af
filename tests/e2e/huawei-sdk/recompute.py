"""Computes the signatures of recorded requests again with the official client's signer (PyPI huaweicloudsdkcore).

Usage: recompute.py FILE [--refused N]. FILE is what the emulator writes with --record-file: a line of JSON for each request.
The secret key comes from HUAWEICLOUD_SDK_SK. Every request with a signature must have exactly the signature that the client
would have made of the same method, target, headers and body; N requests (default 0) are expected not to.
"""
import argparse
import base64
import json
import os
import sys
from urllib.parse import unquote

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

PREFIX = 'SDK-HMAC-SHA256 '


def pairs(query):
    """Decoded, in the order received; the signer sorts and encodes."""
    split = (pair.partition('=') for pair in query.split('&') if pair)
    return [(unquote(name), unquote(value)) for name, _, value in split]


def recomputed(record, authorization, sk):
    fields = dict(part.split('=', 1) for part in authorization[len(PREFIX):].split(', '))
    signed = fields['SignedHeaders'].split(';')
    headers = {name: value for name, value in record['headers'] if name.lower() in signed}
    path, _, query = record['target'].partition('?')
    request = SdkRequest(
        method=record['method'], schema='http', resource_path=path, query_params=pairs(query), header_params=headers,
        host=next(value for name, value in record['headers'] if name.lower() == 'host'),
        body=base64.b64decode(record['body']))
    Signer(BasicCredentials(fields['Access'], sk)).sign(request)
    return request.header_params['Authorization']


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file')
    parser.add_argument('--refused', type=int, default=0)
    arguments = parser.parse_args()
    equal, different = 0, []
    with open(arguments.file, encoding='utf-8') as lines:
        for number, line in enumerate(lines, 1):
            record = json.loads(line)
            sent = [value for name, value in record['headers'] if name.lower() == 'authorization']
            if not sent or not sent[0].startswith(PREFIX):
                continue
            if recomputed(record, sent[0], os.environ['HUAWEICLOUD_SDK_SK']) == sent[0]:
                equal += 1
            else:
                different.append(f'line {number}: {record["method"]} {record["target"]}')
    print(f'   {equal} signatures equal those of the official signer, {len(different)} do not')
    if equal == 0 or len(different) != arguments.refused:
        sys.exit('\n'.join(different) or 'no signed request was recorded')


if __name__ == '__main__':
    main()
