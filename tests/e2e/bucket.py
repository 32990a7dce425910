#!/usr/bin/python3
"""One bucket of an S3 server, seen with somebody else's client.

    bucket.py URL ACCESS_KEY SECRET_KEY BUCKET make|list
"""
import sys

import botocore.session


def main():
    url, access, secret, bucket, verb = sys.argv[1:6]
    client = botocore.session.get_session().create_client(
        "s3", region_name="us-east-1", endpoint_url=url,
        aws_access_key_id=access, aws_secret_access_key=secret)
    if verb == "make":
        client.create_bucket(Bucket=bucket)
        return
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            print(item["Key"])


main()
