// SPDX-License-Identifier: Apache-2.0
/** A real control plane, as envtest makes it: etcd, kube-apiserver, kube-controller-manager. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CertificateAuthority, type KeyPair, type Subject } from './certificates.ts'
import { freePorts } from './free-ports.ts'
import { kubeTool } from './kube-assets.ts'
import { KubeClient } from './kube-client.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { ManagedProcess } from './managed-process.ts'

const READY_TIMEOUT_MS = 60_000
const LOOPBACK = '127.0.0.1'

export const SERVICE_CIDRS = ['10.96.0.0/16', 'fd00:10:96::/112'] as const
/** Of the Service default/kubernetes: the first address of the range. */
const SERVICE_ADDRESS = '10.96.0.1'

export interface ControlPlaneOptions {
  /**
   * IPv4 address of the caller's network namespace that the API server answers on. Default loopback, which makes no endpoint:
   * the Service default/kubernetes has none then.
   */
  readonly address?: string
  /** Of the API server. Default: one that is free. */
  readonly port?: number
  /** Default: a new one for temporary files. */
  readonly folder?: string
}

export class ControlPlane {
  readonly server: string
  /** Of a member of system:masters. */
  readonly kubeconfig: string
  readonly client: KubeClient
  /** Certificates, logs and data; gone with the control plane. */
  readonly folder: string
  readonly #ca: CertificateAuthority
  readonly #etcd: string
  readonly #apiServerArgs: readonly string[]
  readonly #processes = new Map<string, ManagedProcess>()

  /** Ready when it resolves: about 4 s. What began is ended and removed when it rejects. */
  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'maglane-kube-'))
    const [etcdClient, etcdPeer, api] = (await freePorts(3)) as [number, number, number]
    const controlPlane = new ControlPlane(folder, options.address ?? LOOPBACK, options.port ?? api, etcdClient)
    try {
      await controlPlane.#startEtcd(etcdPeer)
      await controlPlane.startApiServer()
      controlPlane.#startControllerManager()
      return controlPlane
    } catch (error) {
      await controlPlane.stop()
      throw error
    }
  }

  private constructor(folder: string, address: string, port: number, etcdPort: number) {
    this.folder = folder
    this.server = `https://${address}:${port}`
    this.#etcd = `http://${LOOPBACK}:${etcdPort}`
    for (const name of ['pki', 'log', 'etcd']) mkdirSync(join(folder, name), { recursive: true })
    this.#ca = new CertificateAuthority(join(folder, 'pki'))
    const serving = this.#ca.issue('apiserver', { commonName: 'kube-apiserver', addresses: [address, SERVICE_ADDRESS] })
    const tokens = this.#ca.signingKey('service-accounts')
    this.#apiServerArgs = [
      `--etcd-servers=${this.#etcd}`,
      `--bind-address=${address}`,
      `--advertise-address=${address}`,
      `--secure-port=${port}`,
      `--tls-cert-file=${serving.cert}`,
      `--tls-private-key-file=${serving.key}`,
      `--client-ca-file=${this.#ca.cert}`,
      `--service-account-key-file=${tokens.publicKey}`,
      `--service-account-signing-key-file=${tokens.key}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      '--authorization-mode=RBAC',
      `--service-cluster-ip-range=${SERVICE_CIDRS.join(',')}`,
      // An address of loopback is no endpoint.
      ...(address === LOOPBACK ? ['--endpoint-reconciler-type=none'] : []),
      // Pods here have no kubelet that would mount a token.
      '--disable-admission-plugins=ServiceAccount',
    ]
    const admin = this.#ca.issue('admin', { commonName: 'admin', organization: 'system:masters' })
    this.kubeconfig = this.#writeKubeconfig('admin', admin)
    const [ca, cert, key] = [this.#ca.cert, admin.cert, admin.key].map((path) => readFileSync(path, 'utf8')) as [
      string,
      string,
      string,
    ]
    this.client = new KubeClient({ server: this.server, ca, cert, key })
  }

  /** A kubeconfig for a client with a certificate of its own. @returns its path. */
  kubeconfigFor(name: string, subject: Subject): string {
    return this.#writeKubeconfig(name, this.#ca.issue(name, subject))
  }

  /** A kubeconfig for a client with a token that stands in a file. @returns its path. */
  kubeconfigWithTokenFile(name: string, tokenFile: string): string {
    return this.#writeKubeconfig(name, { tokenFile })
  }

  async startApiServer(): Promise<void> {
    const apiServer = this.#spawn('kube-apiserver', this.#apiServerArgs)
    const isReady = () =>
      this.client.get('/readyz').then(
        () => true,
        () => false,
      )
    await apiServer.until(isReady, READY_TIMEOUT_MS)
  }

  /** Etcd keeps what there is. */
  async stopApiServer(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#processes.get('kube-apiserver')?.stop(signal)
  }

  /** Etcd forgets every version but the newest, as it does each five minutes in a cluster. */
  async compact(): Promise<void> {
    const { metadata } = await this.client.get('/api/v1/namespaces?limit=1')
    const body = JSON.stringify({ revision: metadata.resourceVersion, physical: true })
    const response = await fetch(`${this.#etcd}/v3/kv/compaction`, { method: 'POST', body })
    if (!response.ok) throw new Error(`etcd does not compact: ${await response.text()}`)
  }

  /** Ends every process and removes the folder; may be called again. */
  async stop(): Promise<void> {
    this.client.close()
    // The last that was started first: nothing complains of what is gone.
    for (const process of [...this.#processes.values()].reverse()) await process.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #startEtcd(peerPort: number): Promise<void> {
    const client = this.#etcd
    const peer = `http://${LOOPBACK}:${peerPort}`
    const etcd = this.#spawn('etcd', [
      `--data-dir=${join(this.folder, 'etcd')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ])
    await etcd.until(() => isHealthy(`${client}/health`), READY_TIMEOUT_MS)
  }

  #startControllerManager(): void {
    const user = this.#ca.issue('controller-manager', {
      commonName: 'system:kube-controller-manager',
      organization: 'system:masters',
    })
    this.#spawn('kube-controller-manager', [
      `--kubeconfig=${this.#writeKubeconfig('controller-manager', user)}`,
      '--leader-elect=false',
      '--secure-port=0',
      // Nodes of tests have no kubelet whose heartbeat could be missed.
      '--controllers=*,-node-lifecycle-controller',
      `--root-ca-file=${this.#ca.cert}`,
      `--service-account-private-key-file=${join(this.folder, 'pki/service-accounts.key')}`,
    ])
  }

  #spawn(name: 'etcd' | 'kube-apiserver' | 'kube-controller-manager', args: readonly string[]): ManagedProcess {
    const log = join(this.folder, 'log', `${name}.log`)
    const process = new ManagedProcess({ command: kubeTool(name), args, log })
    this.#processes.set(name, process)
    return process
  }

  #writeKubeconfig(name: string, user: KeyPair | { readonly tokenFile: string }): string {
    const path = join(this.folder, `${name}.kubeconfig`)
    writeKubeconfig(path, { server: this.server, ca: this.#ca.cert, user })
    return path
  }
}

function isHealthy(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('error', () => resolve(false))
  })
}
