/** The judge of certificates by path validation alone, over anchors that the caller names. */
import type { Judge } from './checks.ts'
import { type PathQuestion, type PathVerdict, validatePath } from './path-validation.ts'
import { PURPOSES } from './purposes.ts'

export type PathMaterial = Omit<PathQuestion, 'leaf' | 'at' | 'purpose' | 'names'>

export const pathJudge =
  (material: PathMaterial): Judge<PathVerdict> =>
  ({ leaf, at, purpose, intermediates, crls }) =>
    validatePath({
      ...material,
      leaf,
      at,
      purpose: PURPOSES[purpose],
      intermediates: [...material.intermediates, ...intermediates],
      crls: [...material.crls, ...crls],
    })
