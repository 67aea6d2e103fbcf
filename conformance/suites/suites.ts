/** The suites, one row each. */
import { jws } from './jws.ts'
import { limbo } from './limbo.ts'
import { merkle } from './merkle.ts'
import { pkits } from './pkits.ts'
import { sm2 } from './sm2.ts'
import type { Suite } from './suite.ts'

export const SUITES: readonly Suite[] = [limbo, pkits, sm2, jws, merkle]
