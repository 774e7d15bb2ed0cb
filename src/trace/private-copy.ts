// SPDX-License-Identifier: Apache-2.0
/** The programs with maps of their own that hold given Services: nothing is pinned, nothing outlives the process. */

import { shippedObject } from '../agent/load-programs.ts'
import { mapsOf } from '../bpf/maps.ts'
import { loadObject } from '../bpf/object.ts'
import { Dataplane } from '../dataplane/dataplane.ts'
import type { ServiceProgramError } from '../dataplane/dataplane-error.ts'
import { liveTables } from '../dataplane/live-tables.ts'
import type { ServicePlan } from '../model/types.ts'
import { mapSizes } from './map-sizes.ts'
import { copyOf, type ProgramCopy } from './program-copy.ts'
import { type TraceKnobs, traceProgramConfig } from './trace-knobs.ts'

export interface PrivateCopy {
  readonly copy: ProgramCopy
  /** Services that do not stand in the maps as they should. */
  readonly failures: readonly ServiceProgramError[]
}

/** Compiles the plans into maps that are just large enough. */
export async function loadPrivateCopy(
  plans: ReadonlyMap<string, ServicePlan>,
  knobs: TraceKnobs,
): Promise<PrivateCopy> {
  const object = loadObject({
    object: shippedObject(),
    programs: knobs.programs,
    maxEntries: mapSizes(plans.values()),
    config: traceProgramConfig(knobs),
  })
  const open = mapsOf(object.maps)
  const close = () => {
    open.close()
    object.close()
  }
  try {
    const { maps } = open
    const serviceCidrs = knobs.serviceCidrs
    maps.control.set(0, { ...maps.control.get(0), serviceCidrsLen: serviceCidrs.length, serviceCidrs })
    const dataplane = new Dataplane({
      tables: liveTables(maps),
      seed: knobs.config.seed,
      answerPing: knobs.config.answerPing,
    })
    const { failures } = await dataplane.sync(plans)
    return { copy: copyOf({ object, services: maps, scratch: maps, close }), failures }
  } catch (error) {
    close()
    throw error
  }
}
