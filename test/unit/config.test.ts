// SPDX-License-Identifier: Apache-2.0
/** Configuration: kube-proxy's file as it is, flags above it, defaults below. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseArgs } from 'node:util'
import { type Config, DEFAULT_CONFIG } from '../../src/config/config.ts'
import { CONFIG_FLAGS, readConfigFlags } from '../../src/config/flags.ts'
import { parseGoDuration } from '../../src/config/go-duration.ts'
import { readKubeProxyConfig } from '../../src/config/kube-proxy-config.ts'
import { loadConfig, mergeConfig } from '../../src/config/load-config.ts'
import { localDetector } from '../../src/config/local-detector.ts'
import { normalize } from '../../src/model/normalize.ts'

/** As kubeadm writes it. */
const KUBEADM = `
apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16,fd00:10:244::/56
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
kind: KubeProxyConfiguration
logging:
  flushFrequency: 0
  options: {json: {infoBufferSize: "0"}}
  verbosity: 0
metricsBindAddress: ""
mode: ""
nftables:
  masqueradeAll: false
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel:
  enableDSR: false
`

const read = (text: string) => readKubeProxyConfig(text, 'proxy.yaml')

describe('readKubeProxyConfig()', () => {
  test("reads kubeadm's file as it is", () => {
    const { config, notes } = read(KUBEADM)
    assert.deepEqual(config, {
      clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/56'],
      masqueradeAll: false,
      kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf',
    })
    assert.deepEqual(notes, ['bindAddress has no meaning for maglane', 'logging.options has no meaning for maglane'])
    assert.deepEqual(mergeConfig({ config, notes: [] }, {}).config, { ...DEFAULT_CONFIG, ...config })
  })

  const rows: readonly { name: string; text: string; want: Partial<Config>; notes?: readonly string[] }[] = [
    { name: 'an empty file', text: '', want: {} },
    { name: 'JSON', text: '{"clusterCIDR": "10.1.0.0/16"}', want: { clusterCidrs: ['10.1.0.0/16'] } },
    { name: 'hostnameOverride', text: 'hostnameOverride: " Node-A "', want: { nodeName: 'node-a' } },
    {
      name: 'detectLocal',
      text: 'detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cni0}',
      want: { detectLocalMode: 'BridgeInterface', bridgeInterface: 'cni0' },
    },
    {
      name: 'iptables',
      text: 'iptables: {masqueradeAll: true, localhostNodePorts: false}',
      want: { masqueradeAll: true, localhostNodePorts: false },
    },
    {
      name: 'nftables: its own masqueradeAll, and primary addresses',
      text: 'mode: nftables\niptables: {masqueradeAll: false}\nnftables: {masqueradeAll: true}',
      want: { masqueradeAll: true, nodePortAddresses: ['primary'] },
    },
    {
      name: "nftables' section means nothing in another mode",
      text: 'nftables: {masqueradeAll: true}',
      want: {},
    },
    {
      name: 'nodePortAddresses',
      text: 'mode: nftables\nnodePortAddresses: [all, 10.0.0.0/8]',
      want: { nodePortAddresses: ['all', '10.0.0.0/8'] },
    },
    {
      name: 'addresses and periods',
      text: 'healthzBindAddress: "[::]:10256"\nmetricsBindAddress: 0.0.0.0:10249\nconfigSyncPeriod: 1m30s',
      want: { healthzBindAddress: '[::]:10256', metricsBindAddress: '0.0.0.0:10249', configSyncPeriodMs: 90_000 },
    },
    {
      name: 'what means nothing is noted, what is unknown too',
      text: 'conntrack: {maxPerCore: 32768, min: 0}\noomScoreAdj: -999\nfeatureGates: {Some: true}\nbogus: 1',
      want: {},
      notes: [
        'conntrack.maxPerCore has no meaning for maglane',
        'oomScoreAdj has no meaning for maglane',
        'featureGates.Some has no meaning for maglane',
        'bogus is unknown',
      ],
    },
  ]
  for (const { name, text, want, notes = [] } of rows) {
    test(`reads ${name}`, () => assert.deepEqual(read(text), { config: want, notes }))
  }

  const faults: readonly [string, RegExp][] = [
    ['kind: Pod', /^proxy\.yaml: kind: Expected KubeProxyConfiguration, got 'Pod'$/],
    ['apiVersion: kubeproxy.config.k8s.io/v1', /apiVersion: Expected kubeproxy\.config\.k8s\.io\/v1alpha1/],
    ['clusterCIDR: 10.0.0.0/16,x', /clusterCIDR: Expected CIDRs, got 'x'/],
    ['detectLocalMode: Magic', /detectLocalMode: Expected one of ClusterCIDR, NodeCIDR/],
    [
      'nodePortAddresses: [primary, 10.0.0.1]',
      /nodePortAddresses\[1\]: Expected a CIDR or one of primary, all, localhost, got '10\.0\.0\.1'/,
    ],
    ['iptables: {masqueradeAll: "yes"}', /iptables\.masqueradeAll: Expected true or false, got 'yes'/],
    ['configSyncPeriod: 15', /configSyncPeriod: Expected a string, got 15/],
    ['configSyncPeriod: 15 minutes', /configSyncPeriod: Expected a duration/],
    ['a: [1', /^proxy\.yaml: /],
    ['- a', /^proxy\.yaml: Expected an object, got a list$/],
  ]
  for (const [text, message] of faults) {
    test(`refuses '${text}'`, () => assert.throws(() => read(text), { code: 'CONFIG', message }))
  }
})

describe('readConfigFlags()', () => {
  const parse = (...args: string[]) =>
    readConfigFlags(parseArgs({ args, options: CONFIG_FLAGS, allowNegative: true }).values)

  test('nothing given, nothing said', () => assert.deepEqual(parse(), {}))

  test('reads every flag', () => {
    const given = parse(
      ...[
        '--node',
        'node-a',
        '--node-ip',
        '192.168.000.001',
        '--node-ip',
        'FD00::1',
        '--cluster-cidr',
        '10.1.0.0/16,fd00:1::/64',
      ],
      ...[
        '--detect-local-mode',
        'NodeCIDR',
        '--masquerade-all',
        '--nodeport-addresses',
        'primary,10.0.0.0/8',
        '--no-localhost-nodeports',
      ],
      ...[
        '--no-answer-ping',
        '--snat-port-range',
        '20000-29999',
        '--seed',
        '0xff',
        '--map-size',
        'flows=1000',
        '--devices',
        'eth*',
      ],
      ...[
        '--pod-interfaces',
        'veth*,lxc*',
        '--socket-lb',
        'host',
        '--service-cidr',
        '172.30.0.0/16',
        '--node-port-range',
        '30000-30099',
      ],
      ...[
        '--healthz-bind-address',
        '',
        '--metrics-bind-address',
        '0.0.0.0:1',
        '--kubeconfig',
        'k',
        '--master',
        'https://192.0.2.1:6443',
        '--pod-bridge-interface',
        'cni0',
      ],
      ...['--pod-interface-name-prefix', 'veth'],
    )
    assert.deepEqual(given, {
      nodeName: 'node-a',
      nodeIps: ['192.168.0.1', 'fd00::1'],
      clusterCidrs: ['10.1.0.0/16', 'fd00:1::/64'],
      detectLocalMode: 'NodeCIDR',
      bridgeInterface: 'cni0',
      interfaceNamePrefix: 'veth',
      masqueradeAll: true,
      nodePortAddresses: ['primary', '10.0.0.0/8'],
      localhostNodePorts: false,
      answerPing: false,
      snatPortRange: { min: 20_000, max: 29_999 },
      seed: 255,
      mapSizes: { flows: 1_000 },
      devices: ['eth*'],
      podInterfaces: ['veth*', 'lxc*'],
      socketLb: 'host',
      serviceCidrs: ['172.30.0.0/16'],
      nodePortRange: { min: 30_000, max: 30_099 },
      healthzBindAddress: '',
      metricsBindAddress: '0.0.0.0:1',
      kubeconfig: 'k',
      master: 'https://192.0.2.1:6443',
    } satisfies Partial<Config>)
  })

  const faults: readonly [string, string, RegExp][] = [
    ['node-ip', '10.0.0', /^--node-ip: expected an IP address, got '10\.0\.0'$/],
    ['cluster-cidr', '10.0.0.0', /^--cluster-cidr: expected a CIDR/],
    ['detect-local-mode', 'x', /^--detect-local-mode: expected one of ClusterCIDR/],
    ['nodeport-addresses', 'first', /^--nodeport-addresses: expected a CIDR, primary/],
    ['snat-port-range', '3-2', /^--snat-port-range: expected MIN-MAX/],
    ['seed', '-1', /^--seed: expected a number from 0 to 4294967295/],
    ['map-size', 'nothing=1', /^--map-size: expected one of .*flows.*, got 'nothing'/],
    ['map-size', 'flows=0', /^--map-size: expected a number from 1/],
    ['socket-lb', 'on', /^--socket-lb: expected one of all, host, off/],
  ]
  for (const [flag, value, message] of faults) {
    test(`refuses --${flag}=${value}`, () =>
      assert.throws(() => parse(`--${flag}=${value}`), { code: 'CONFIG', message }))
  }
})

describe('loadConfig()', () => {
  test('flags win over the file, the file over defaults', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'maglane-config-'))
    context.after(() => rm(folder, { recursive: true }))
    const path = join(folder, 'proxy.yaml')
    await writeFile(path, 'clusterCIDR: 10.1.0.0/16\niptables: {masqueradeAll: true}\n')
    const { config } = await loadConfig({ config: path, 'masquerade-all': false })
    assert.deepEqual(config, { ...DEFAULT_CONFIG, clusterCidrs: ['10.1.0.0/16'], masqueradeAll: false })
    await assert.rejects(loadConfig({ config: join(folder, 'none') }), { code: 'CONFIG' })
  })

  test('a mode without its device is refused', () => {
    assert.throws(() => mergeConfig(undefined, { detectLocalMode: 'BridgeInterface' }), /--pod-bridge-interface/)
    assert.throws(
      () => mergeConfig(undefined, { detectLocalMode: 'InterfaceNamePrefix' }),
      /--pod-interface-name-prefix/,
    )
  })

  test('a missing cluster CIDR is worth a word', () => {
    assert.equal(mergeConfig(undefined, {}).notes.length, 1)
    assert.equal(mergeConfig(undefined, { clusterCidrs: ['10.1.0.0/16'] }).notes.length, 0)
  })
})

test('localDetector() asks what the mode says', () => {
  const { object: node } = normalize('Node', { metadata: { name: 'a' }, spec: { podCIDRs: ['10.1.2.0/24'] } }, '')
  const detect = (config: Partial<Config>) => localDetector({ ...DEFAULT_CONFIG, ...config }, node)
  assert.deepEqual(detect({}), { kind: 'none' })
  assert.deepEqual(detect({ clusterCidrs: ['10.1.0.0/16'] }), { kind: 'cidrs', cidrs: ['10.1.0.0/16'] })
  assert.deepEqual(detect({ detectLocalMode: 'NodeCIDR' }), { kind: 'cidrs', cidrs: ['10.1.2.0/24'] })
  assert.deepEqual(detect({ detectLocalMode: 'BridgeInterface', bridgeInterface: 'cni0' }), {
    kind: 'bridge',
    device: 'cni0',
  })
  assert.deepEqual(detect({ detectLocalMode: 'InterfaceNamePrefix', interfaceNamePrefix: 'veth' }), {
    kind: 'prefix',
    prefix: 'veth',
  })
})

test('parseGoDuration()', () => {
  const rows: readonly [string, number | undefined][] = [
    ['15m0s', 900_000],
    ['1.5h', 5_400_000],
    ['300ms', 300],
    ['1m30.5s', 90_500],
    ['0s', 0],
    ['0', 0],
    ['15', undefined],
    ['', undefined],
    ['-1s', undefined],
  ]
  for (const [text, want] of rows) assert.equal(parseGoDuration(text), want, text)
})
