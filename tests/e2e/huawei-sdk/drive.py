"""Drives the emulator with the official client (PyPI huaweicloudsdkfunctiongraph), as a user of Huawei Cloud would.

Usage: drive.py URL. The keys come from HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK.
"""
import base64
import io
import json
import os
import sys
import time
import zipfile

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions import exceptions
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkfunctiongraph.v2 import *

URL = sys.argv[1]
AK, SK = os.environ['HUAWEICLOUD_SDK_AK'], os.environ['HUAWEICLOUD_SDK_SK']
NODE = 'Node.js20.15'
SOURCE = '''
exports.handler = async (event, context) => {
    context.getLogger().info('greeting ' + event.name);
    if (event.fail) throw new RangeError('asked to fail');
    return { greeting: `${context.getUserData('word')}, ${event.name}!`, version: context.getVersion() };
};
'''


def client(sk=SK):
    """Knows neither project nor host: it looks the project up in IAM, as the client does for a region of its own list."""
    credentials = BasicCredentials(AK, sk).with_iam_endpoint(URL)
    builder = FunctionGraphClient.new_builder().with_http_config(HttpConfig.get_default_config())
    return builder.with_credentials(credentials).with_region(Region('cn-north-4', URL)).build()


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def refused(status, code, call, *arguments):
    try:
        call(*arguments)
    except exceptions.ServiceResponseException as error:
        assert (error.status_code, error.error_code) == (status, code), error
        assert error.request_id, error
        return error.error_msg
    raise AssertionError(f'{code} was expected')


def invoke(urn, event, version='v1', log='tail'):
    return cloud.invoke_function(InvokeFunctionRequest(
        function_urn=urn, body=event, x_cff_request_version=version, x_cff_log_type=log))


def step(text):
    print(f'   {text}')


cloud = client()

made = cloud.create_function(CreateFunctionRequest(body=CreateFunctionRequestBody(
    func_name='hello', package='default', runtime=NODE, handler='index.handler', memory_size=128, timeout=10,
    code_type='inline', func_code=FuncCode(file=encoded(SOURCE)), user_data=json.dumps({'word': 'Hello'}),
    encrypted_user_data=json.dumps({'token': 'hidden'}), description='made by the official client')))
urn = made.func_urn
assert urn.endswith(':function:default:hello:latest'), urn
whole = urn.rsplit(':', 1)[0]
assert made.encrypted_user_data == '{"token":""}', made.encrypted_user_data
refused(409, 'FSS.1061', cloud.create_function, CreateFunctionRequest(body=CreateFunctionRequestBody(
    func_name='hello', package='default', runtime=NODE, handler='index.handler', memory_size=128, timeout=10,
    code_type='inline', func_code=FuncCode(file=encoded(SOURCE)))))
step(f'created {urn}')

answer = invoke(urn, {'name': 'Kim'})
assert json.loads(answer.result) == {'greeting': 'Hello, Kim!', 'version': 'latest'}, answer
assert answer.status == 200 and answer.request_id == answer.x_cff_request_id, answer
assert 'INFO greeting Kim' in answer.log and 'Finish invoke request' in answer.log, answer.log
bare = invoke(urn, {'name': 'Kim'}, version='v0', log=None)
assert bare.status is None and bare.result is None and bare.x_cff_request_id, 'v0 has no envelope'
failed = invoke(urn, {'name': 'Kim', 'fail': True})
assert failed.status == 500 and json.loads(failed.result)['errorType'] == 'RangeError', failed
step('invoked with both answers, and with a function that fails')

cloud.update_function_config(UpdateFunctionConfigRequest(function_urn=urn, body=UpdateFunctionConfigRequestBody(
    func_name='hello', runtime=NODE, handler='index.handler', memory_size=256, timeout=20,
    user_data=json.dumps({'word': 'Hallo'}))))
config = cloud.show_function_config(ShowFunctionConfigRequest(function_urn=urn))
assert (config.memory_size, config.timeout, config.func_name) == (256, 20, 'hello'), config
code = cloud.show_function_code(ShowFunctionCodeRequest(function_urn=urn))
assert base64.b64decode(code.func_code.file).decode() == SOURCE
assert json.loads(invoke(whole, {'name': 'Kim'}).result)['greeting'] == 'Hallo, Kim!'
step('configuration and code read back and changed')

archive = io.BytesIO()
with zipfile.ZipFile(archive, 'w') as files:
    files.writestr('main.py', 'import part\n\ndef handler(event, context):\n    return part.twice(event["n"])\n')
    files.writestr('part.py', 'def twice(n):\n    return 2 * n\n')
cloud.create_function(CreateFunctionRequest(body=CreateFunctionRequestBody(
    func_name='twice', package='numbers', runtime='Python3.9', handler='main.handler', memory_size=128, timeout=10,
    code_type='zip', code_filename='main.zip',
    func_code=FuncCode(file=base64.b64encode(archive.getvalue()).decode()))))
twice = whole.replace(':default:hello', ':numbers:twice')
assert invoke(twice, {'n': 21}).result == '42'
step('a zipped Python function runs')

cloud.update_function_async_invoke_config(UpdateFunctionAsyncInvokeConfigRequest(
    function_urn=urn, body=UpdateFunctionAsyncInvokeConfigRequestBody(
        max_async_event_age_in_seconds=60, max_async_retry_attempts=0, enable_async_status_log=True)))
settings = cloud.show_function_async_invoke_config(ShowFunctionAsyncInvokeConfigRequest(function_urn=urn))
assert settings.enable_async_status_log and settings.max_async_event_age_in_seconds == 60, settings
for event, status, number in (({'name': 'later'}, 'SUCCESS', 0), ({'name': 'x', 'fail': True}, 'FAIL', 4002)):
    submitted = cloud.async_invoke_function(AsyncInvokeFunctionRequest(function_urn=urn, body=event))
    for _ in range(100):
        records = cloud.list_async_invocations(ListAsyncInvocationsRequest(
            function_urn=urn, request_id=submitted.request_id)).invocations
        if records and records[0].status == status:
            break
        time.sleep(0.05)
    assert records[0].request_id == submitted.request_id, records
    assert (records[0].status, records[0].error_code) == (status, number), records
step('asynchronous runs end in their records')

published = cloud.create_function_version(CreateFunctionVersionRequest(
    function_urn=urn, body=CreateFunctionVersionRequestBody(version='v1.0', description='first')))
assert published.version == 'v1.0', published
refused(400, 'FSS.1016', cloud.create_function_version, CreateFunctionVersionRequest(
    function_urn=urn, body=CreateFunctionVersionRequestBody(version='v1.1')))
versions = cloud.list_function_versions(ListFunctionVersionsRequest(function_urn=urn)).versions
assert {version.version for version in versions} == {'latest', 'v1.0'}, versions
alias = cloud.create_version_alias(CreateVersionAliasRequest(
    function_urn=urn, body=CreateVersionAliasRequestBody(name='prod', version='v1.0')))
assert alias.alias_urn == f'{whole}:!prod', alias
for target in (f'{whole}:v1.0', alias.alias_urn):
    assert json.loads(invoke(target, {'name': 'Kim'}).result)['version'] == 'v1.0'
aliases = cloud.list_version_aliases(ListVersionAliasesRequest(function_urn=urn)).body
assert [found.name for found in aliases] == ['prod'], aliases
cloud.update_version_alias(UpdateVersionAliasRequest(
    function_urn=urn, alias_name='prod', body=UpdateVersionAliasRequestBody(version='latest')))
assert json.loads(invoke(alias.alias_urn, {'name': 'Kim'}).result)['version'] == 'latest'
cloud.delete_version_alias(DeleteVersionAliasRequest(function_urn=urn, alias_name='prod'))
refused(404, 'FSS.1053', invoke, alias.alias_urn, {})
step('versions and aliases, "!" in the URN included')

names, marker = [], '0'
while True:
    page = cloud.list_functions(ListFunctionsRequest(marker=marker, maxitems='1'))
    names += [function.func_name for function in page.functions]
    if not page.functions or str(page.next_marker) in (marker, '0'):
        break
    marker = str(page.next_marker)
assert sorted(names) == ['hello', 'twice'], names
one = cloud.list_functions(ListFunctionsRequest(package_name='numbers'))
assert [function.func_name for function in one.functions] == ['twice'], one
assert cloud.list_quotas(ListQuotasRequest()).quotas.resources[0].used == 2
step('listed in pages, by package, and counted')

for function in (whole, twice):
    cloud.delete_function(DeleteFunctionRequest(function_urn=function))
refused(404, 'FSS.1051', cloud.show_function_config, ShowFunctionConfigRequest(function_urn=urn))
step('deleted')

credentials = BasicCredentials(AK, 'not the secret', made.namespace)
stranger = FunctionGraphClient.new_builder().with_credentials(credentials).with_endpoint(URL).build()
why = refused(401, 'APIGW.0301', stranger.list_functions, ListFunctionsRequest())
assert why == 'Incorrect IAM authentication information: verify aksk signature fail', why
step(f'a wrong secret key: APIGW.0301, {why}')
