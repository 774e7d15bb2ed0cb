// SPDX-License-Identifier: Apache-2.0
/**
 * What kubectl prints of the same objects. The expected texts are those of kubectl 1.36.3 on a real API server but for ages, and
 * for the order of the ports of Endpoints, which is that of a hash there.
 */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { humanDuration } from '../../src/cli/kubectl-views/age.ts'
import { formatTabs } from '../../src/cli/kubectl-views/tab-writer.ts'
import { main } from '../../src/cli/main.ts'

const manifests = `
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {tier: front, app: web}
  annotations: {note: short, long: "line one\\nline two", kubectl.kubernetes.io/last-applied-configuration: "{}"}
spec:
  type: LoadBalancer
  clusterIP: 10.96.3.1
  clusterIPs: [10.96.3.1, "fd00:10:96::31"]
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  sessionAffinity: ClientIP
  externalTrafficPolicy: Local
  healthCheckNodePort: 31999
  loadBalancerSourceRanges: [10.0.0.0/8, 192.168.0.0/16]
  trafficDistribution: PreferSameZone
  externalIPs: [203.0.113.1]
  ports:
  - {name: http, port: 80, targetPort: http, nodePort: 30080, appProtocol: http}
  - {name: dns, port: 53, targetPort: 5353, protocol: UDP, nodePort: 30053}
---
{apiVersion: v1, kind: Service, metadata: {name: plain}, spec: {clusterIP: 10.96.3.2, selector: {app: web}, ports: [{port: 8080}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: set}, spec: {clusterIP: None, selector: {app: web}, ports: [{port: 8080, name: http}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: out}, spec: {type: ExternalName, externalName: example.com}}
---
{apiVersion: v1, kind: Service, metadata: {name: nobody}, spec: {type: NodePort, clusterIP: 10.96.3.3, selector: {app: nobody}, ports: [{port: 80, nodePort: 31801}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: hand}, spec: {clusterIP: 10.96.3.4, ports: [{port: 80, targetPort: 9000}], externalIPs: [203.0.113.9]}}
---
{apiVersion: v1, kind: Endpoints, metadata: {name: hand}, subsets: [{addresses: [{ip: 192.0.2.1}, {ip: 192.0.2.2}, {ip: 192.0.2.3}, {ip: 192.0.2.4}], ports: [{port: 9000}]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {type: LoadBalancer, clusterIP: 10.96.3.5, ports: [{port: 80, nodePort: 30081}]}, status: {loadBalancer: {ingress: [{ip: 203.0.113.77}, {hostname: lb.example.com}]}}}
`

function pod(index: number, ready: boolean): object {
  const ips = [`10.244.1.${index}`, `fd00:10:244:1::${index}`]
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `web-${index}`, labels: { app: 'web' } } },
    spec: { nodeName: 'node-a', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: {
      ...{ phase: 'Running', podIPs: ips.map((ip) => ({ ip })) },
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  }
}

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'maglane-describe-'))
  await writeFile(join(folder, 'objects.yaml'), manifests)
  const items = [pod(1, true), pod(2, true), pod(3, false)]
  await writeFile(join(folder, 'pods.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
})
after(async () => await rm(folder, { recursive: true }))

async function run(...words: string[]) {
  let [stdout, stderr] = ['', '']
  const io = { stdin: (async function* () {})(), env: {}, signal: new AbortController().signal, terminal: false }
  const status = await main([...words, '-m', folder], {
    ...io,
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
  })
  return { status, stdout, stderr }
}

const expected: Readonly<Record<string, string>> = {
  'get svc': `
NAME     TYPE           CLUSTER-IP   EXTERNAL-IP   PORT(S)                     AGE
hand     ClusterIP      10.96.3.4    203.0.113.9   80/TCP                      <unknown>
nobody   NodePort       10.96.3.3    <none>        80:31801/TCP                <unknown>
out      ExternalName   <none>       example.com   <none>                      <unknown>
plain    ClusterIP      10.96.3.2    <none>        8080/TCP                    <unknown>
set      ClusterIP      None         <none>        8080/TCP                    <unknown>
web      LoadBalancer   10.96.3.1    203.0.113.1   80:30080/TCP,53:30053/UDP   <unknown>
`,
  'get services -n shop': `
NAME   TYPE           CLUSTER-IP   EXTERNAL-IP                   PORT(S)        AGE
cart   LoadBalancer   10.96.3.5    203.0.113.77,lb.example.com   80:30081/TCP   <unknown>
`,
  'get service shop/cart -o wide': `
NAME   TYPE           CLUSTER-IP   EXTERNAL-IP                   PORT(S)        AGE         SELECTOR
cart   LoadBalancer   10.96.3.5    203.0.113.77,lb.example.com   80:30081/TCP   <unknown>   <none>
`,
  'get endpoints': `
NAME     ENDPOINTS                                                     AGE
hand     192.0.2.1:9000,192.0.2.2:9000,192.0.2.3:9000 + 1 more...      <unknown>
nobody   <none>                                                        <unknown>
plain    10.244.1.1:8080,10.244.1.2:8080                               <unknown>
set      10.244.1.1:8080,10.244.1.2:8080                               <unknown>
web      10.244.1.1:8080,10.244.1.2:8080,10.244.1.1:5353 + 1 more...   <unknown>
`,
  'get pods': `
NAME    READY   STATUS    RESTARTS   AGE
web-1   1/1     Running   0          <unknown>
web-2   1/1     Running   0          <unknown>
web-3   0/1     Running   0          <unknown>
`,
  'get pods web-1 -o wide': `
NAME    READY   STATUS    RESTARTS   AGE         IP           NODE     NOMINATED NODE   READINESS GATES
web-1   1/1     Running   0          <unknown>   10.244.1.1   node-a   <none>           <none>
`,
  'get pods -A': `
NAMESPACE   NAME    READY   STATUS    RESTARTS   AGE
default     web-1   1/1     Running   0          <unknown>
default     web-2   1/1     Running   0          <unknown>
default     web-3   0/1     Running   0          <unknown>
`,
  'describe svc web': `
Name:                        web
Namespace:                   default
Labels:                      app=web
                             tier=front
Annotations:                 long:
                               line one
                               line two
                             note: short
Selector:                    app=web
Type:                        LoadBalancer
IP Family Policy:            RequireDualStack
IP Families:                 IPv4,IPv6
IP:                          10.96.3.1
IPs:                         10.96.3.1,fd00:10:96::31
External IPs:                203.0.113.1
Port:                        http  80/TCP
TargetPort:                  http/TCP
AppProtocol:                 http
NodePort:                    http  30080/TCP
Endpoints:                   10.244.1.1:8080,10.244.1.2:8080,[fd00:10:244:1::1]:8080 + 1 more...
Port:                        dns  53/UDP
TargetPort:                  5353/UDP
NodePort:                    dns  30053/UDP
Endpoints:                   10.244.1.1:5353,10.244.1.2:5353,[fd00:10:244:1::1]:5353 + 1 more...
Session Affinity:            ClientIP
External Traffic Policy:     Local
Internal Traffic Policy:     Cluster
HealthCheck NodePort:        31999
LoadBalancer Source Ranges:  10.0.0.0/8,192.168.0.0/16
Traffic Distribution:        PreferSameZone
Events:                      <none>
`,
  'describe service set': `
Name:                     set
Namespace:                default
Labels:                   <none>
Annotations:              <none>
Selector:                 app=web
Type:                     ClusterIP
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       None
IPs:                      None
Port:                     http  8080/TCP
TargetPort:               8080/TCP
Endpoints:                10.244.1.1:8080,10.244.1.2:8080
Session Affinity:         None
Internal Traffic Policy:  Cluster
Events:                   <none>
`,
  'describe service out': `
Name:              out
Namespace:         default
Labels:            <none>
Annotations:       <none>
Selector:          <none>
Type:              ExternalName
IP Families:       <none>
IP:                
IPs:               <none>
External Name:     example.com
Session Affinity:  None
Events:            <none>
`,
  'describe service nobody': `
Name:                     nobody
Namespace:                default
Labels:                   <none>
Annotations:              <none>
Selector:                 app=nobody
Type:                     NodePort
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.96.3.3
IPs:                      10.96.3.3
Port:                     <unset>  80/TCP
TargetPort:               80/TCP
NodePort:                 <unset>  31801/TCP
Endpoints:                
Session Affinity:         None
External Traffic Policy:  Cluster
Internal Traffic Policy:  Cluster
Events:                   <none>
`,
}

for (const [words, text] of Object.entries(expected)) {
  test(`maglane ${words} prints what kubectl prints`, async () => {
    assert.deepEqual(await run(...words.split(' ')), { status: 0, stdout: text.slice(1), stderr: '' })
  })
}

test('maglane describe shows the addresses of a load balancer with their mode', async () => {
  const { stdout } = await run('describe', 'svc', 'cart', '-n', 'shop')
  assert.match(stdout, /^LoadBalancer Ingress: {5}203\.0\.113\.77 \(VIP\), lb\.example\.com$/m)
  assert.match(stdout, /^Endpoints: {16}<none>$/m)
})

test('maglane get says that there is nothing on standard error, for scripts to find nothing', async () => {
  assert.deepEqual(await run('get', 'pods', '-n', 'empty'), {
    ...{ status: 0, stdout: '' },
    stderr: 'No resources found in empty namespace.\n',
  })
})

for (const [words, status, message] of [
  ['get svc zz', 1, 'services "zz" not found in default namespace'],
  ['describe service zz', 1, 'services "zz" not found in default namespace'],
  ['describe pod web-1', 2, 'describe takes service NAME'],
  ['get flows', 2, 'get --manifests takes one of services, endpoints, endpointslices, pods'],
] as const) {
  test(`maglane ${words} fails and says why`, async () => {
    const { stderr, ...rest } = await run(...words.split(' '))
    assert.deepEqual([rest, stderr.split('\n')[0]], [{ status, stdout: '' }, `maglane: ${message}`])
  })
}

test('maglane get -o json is a List, or the object that was named', async () => {
  const list = JSON.parse((await run('get', 'svc', '-o', 'json')).stdout) as { kind: string; items: { kind: string }[] }
  assert.deepEqual([list.kind, list.items.length, list.items[0]?.kind], ['List', 6, 'Service'])
  const one = JSON.parse((await run('get', 'svc', 'web', '-o', 'json')).stdout) as { metadata: { name: string } }
  assert.equal(one.metadata.name, 'web')
})

test('maglane env prints variables for a shell to read', async () => {
  const { stdout } = await run('env', 'shop')
  assert.deepEqual(stdout.split('\n').slice(0, 2), ['CART_SERVICE_HOST=10.96.3.5', 'CART_SERVICE_PORT=80'])
})

test('formatTabs() begins a column anew after a line that does not have it', () => {
  const lines = [['a', 'long cell', 'end'], ['bb', 'x', 'end'], ['no columns'], ['c', 'y', 'end']]
  assert.equal(
    formatTabs(lines, { minWidth: 0, padding: 1 }),
    'a  long cell end\nbb x         end\nno columns\nc y end\n',
  )
})

const [minute, hour, day, year] = [60, 3600, 86_400, 365 * 86_400]
for (const [seconds, text] of [
  [-2, '<invalid>'],
  [-1.5, '0s'],
  [0, '0s'],
  [119.9, '119s'],
  [2 * minute, '2m'],
  [9 * minute + 59, '9m59s'],
  [10 * minute + 59, '10m'],
  [179 * minute, '179m'],
  [3 * hour, '3h'],
  [7 * hour + 59 * minute, '7h59m'],
  [8 * hour + 59 * minute, '8h'],
  [47 * hour, '47h'],
  [2 * day, '2d'],
  [7 * day + 23 * hour, '7d23h'],
  [8 * day + 23 * hour, '8d'],
  [729 * day, '729d'],
  [2 * year, '2y'],
  [3 * year + day, '3y1d'],
  [9 * year + day, '9y'],
] as const) {
  test(`humanDuration() says ${text} for ${seconds} seconds`, () => assert.equal(humanDuration(seconds), text))
}
