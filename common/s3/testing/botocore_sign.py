#!/usr/bin/python3
"""Signs requests with botocore, for the comparison with ours: JSON in, one signature a line out.

Each line of standard input is {"method", "url", "headers", "timestamp", "access", "secret",
"token", "presign"}; the answer is the header Authorization, or the whole URL for "presign" seconds.
"""
import datetime
import json
import sys
from unittest import mock

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def sign(case):
    at = datetime.datetime.strptime(case["timestamp"], "%Y%m%dT%H%M%SZ")
    credentials = Credentials(case["access"], case["secret"], case["token"] or None)
    request = AWSRequest(case["method"], case["url"], headers=case["headers"])
    request.context["client_config"] = mock.Mock(s3=None)
    request.context["payload_signing_enabled"] = False
    with mock.patch.object(auth.datetime, "datetime", mock.Mock(wraps=datetime.datetime)) as now:
        now.utcnow.return_value = at
        if case["presign"]:
            signer = auth.S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=case["presign"])
            signer.add_auth(request)
            return request.url
        auth.S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    return request.headers["Authorization"]


for line in sys.stdin:
    print(sign(json.loads(line)), flush=True)
