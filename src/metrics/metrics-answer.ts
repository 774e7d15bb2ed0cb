// SPDX-License-Identifier: Apache-2.0
/** `/metrics`, `/proxyMode` and `/healthz` of the metrics port, as kube-proxy has them there. */

import type { Registry } from 'prom-client'
import { type Answer, textAnswer } from '../health/answer.ts'

/** What scripts are told that ask a kube-proxy for its mode. */
export const PROXY_MODE = 'maglane'

/** @param collect Called before the metrics are printed. Undefined for other paths. */
export async function metricsAnswer(
  path: string,
  registry: Registry,
  collect: () => Promise<void>,
): Promise<Answer | undefined> {
  switch (path) {
    case '/metrics':
      await collect()
      return textAnswer(200, await registry.metrics(), registry.contentType)
    case '/proxyMode':
      return textAnswer(200, PROXY_MODE)
    case '/healthz':
      return textAnswer(200, 'ok')
    default:
      return undefined
  }
}
