"""Asks a webhook on port 8443 of this network as the API server does, and looks for the sidecar in its patch: review.py CA"""

import base64
import json
import ssl
import sys
import time
import urllib.error
import urllib.request

trust = ssl.create_default_context(cafile=sys.argv[1])
pod = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "app", "namespace": "default", "annotations": {"faas-sidecar.io/inject": "true"}},
    "spec": {"containers": [{"name": "app", "image": "app:1"}]},
}
review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
          "request": {"uid": "1", "operation": "CREATE", "namespace": "default", "kind": {"group": "", "version": "v1", "kind": "Pod"},
                      "resource": {"group": "", "version": "v1", "resource": "pods"}, "object": pod}}
request = urllib.request.Request("https://localhost:8443/inject", json.dumps(review).encode(), {"content-type": "application/json"})
for attempt in range(100):
    try:
        answer = json.load(urllib.request.urlopen(request, timeout=5, context=trust))["response"]
        break
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ConnectionRefusedError) or attempt == 99:
            raise
        time.sleep(0.1)
assert answer["uid"] == "1" and answer["allowed"], answer
patch = base64.b64decode(answer["patch"]).decode()
assert '"name":"faas-sidecar"' in patch.replace(" ", "") and "restartPolicy" in patch, patch
