// Generated from wire/trust-list.schema.json by `npm run codegen`. Do not edit.

/**
 * Claims of hutong-trust-list+jwt: a list of trusted certification authorities in the data model of ETSI TS 119 602.
 */
export interface TrustListClaims {
  /**
   * Identifier of the federation, fixed at its founding; a token of another federation is nothing here.
   */
  fed: string
  /**
   * Issuer: the code of the member that operates the list.
   */
  iss: string
  /**
   * Identifier of the list: CN, or the code of its operator.
   */
  lst: string
  /**
   * Membership position that the operator had applied.
   */
  mem: number
  /**
   * Time of signing, in seconds since 1970-01-01T00:00:00Z; it decides no key validity.
   */
  iat: number
  /**
   * The list.
   */
  LoTE: {
    /**
     * The list and its operator.
     */
    ListAndSchemeInformation: {
      /**
       * Version of the form; 1.
       */
      LoTEVersionIdentifier: number
      /**
       * Counts the issues of this list from 1; a lower one never replaces a higher one.
       */
      LoTESequenceNumber: number
      /**
       * A list of authorities, or the national list of such lists.
       */
      LoTEType: 'urn:hutong:trust:list' | 'urn:hutong:trust:list-of-lists'
      /**
       * Name of the operator.
       */
      SchemeOperatorName: {
        /**
         * Language of the text (BCP 47).
         */
        lang: string
        /**
         * The text.
         */
        value: string
      }[]
      /**
       * Name of the scheme.
       */
      SchemeName?: {
        /**
         * Language of the text (BCP 47).
         */
        lang: string
        /**
         * The text.
         */
        value: string
      }[]
      /**
       * Where the scheme is described.
       */
      SchemeInformationURI?: {
        /**
         * Language of what stands there (BCP 47).
         */
        lang: string
        /**
         * The address.
         */
        uriValue: string
      }[]
      /**
       * How a status is decided.
       */
      StatusDeterminationApproach?: string
      /**
       * Territory that the list speaks for: CN, or a region code.
       */
      SchemeTerritory: string
      /**
       * Days for which an ended service stays listed; 65535 for ever.
       */
      HistoricalInformationPeriod?: number
      /**
       * Time of issue, with offset.
       */
      ListIssueDateTime: string
      /**
       * Time at which the list expires, with offset.
       */
      NextUpdate: string
      /**
       * The lists that a list of lists names.
       */
      PointersToOtherLoTE?: {
        /**
         * Name of the list: urn:hutong:trust-list:<operator>/<list>.
         */
        LoTELocation: string
        /**
         * What the other list is.
         */
        LoTEQualifiers: {
          /**
           * Its type.
           */
          LoTEType: 'urn:hutong:trust:list'
          /**
           * Name of its operator.
           */
          SchemeOperatorName: {
            /**
             * Language of the text (BCP 47).
             */
            lang: string
            /**
             * The text.
             */
            value: string
          }[]
          /**
           * Its territory.
           */
          SchemeTerritory: string
        }[]
      }[]
    }
    /**
     * The authorities and their services.
     */
    TrustedEntitiesList: {
      /**
       * The authority.
       */
      TrustedEntityInformation: {
        /**
         * Its name.
         */
        TEName: {
          /**
           * Language of the text (BCP 47).
           */
          lang: string
          /**
           * The text.
           */
          value: string
        }[]
        /**
         * Its trade name or code, such as a unified social credit code.
         */
        TETradeName?: {
          /**
           * Language of the text (BCP 47).
           */
          lang: string
          /**
           * The text.
           */
          value: string
        }[]
        /**
         * Where it belongs.
         */
        TEInformationExtensions: {
          /**
           * Region of the authority; CN for the national root.
           */
          HutongRegion: string
        }[]
      }
      /**
       * Its services.
       */
      TrustedEntityServices: {
        /**
         * The service as it is now.
         */
        ServiceInformation: {
          /**
           * Kind of service.
           */
          ServiceTypeIdentifier:
            | 'http://uri.etsi.org/TrstSvc/Svctype/CA/PKC'
            | 'http://uri.etsi.org/TrstSvc/Svctype/TSA'
            | 'urn:hutong:trust:service:root'
            | 'urn:hutong:trust:service:seal-maker'
          /**
           * Name of the service.
           */
          ServiceName: {
            /**
             * Language of the text (BCP 47).
             */
            lang: string
            /**
             * The text.
             */
            value: string
          }[]
          /**
           * Certificates by which the service is known: base64 of DER.
           */
          ServiceDigitalIdentity: {
            /**
             * The certificates.
             */
            X509Certificates: {
              /**
               * One certificate: base64 of DER.
               */
              val: string
            }[]
          }
          /**
           * Status of the service.
           */
          ServiceStatus:
            | 'http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/granted'
            | 'urn:hutong:trust:status:suspended'
            | 'http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/withdrawn'
          /**
           * Time from which the status holds, with offset.
           */
          StatusStartingTime: string
          /**
           * Where the service is reached.
           */
          ServiceSupplyPoints?: {
            /**
             * What is found there: revocation lists, or answers by OCSP.
             */
            ServiceType: 'urn:hutong:trust:supply:crl' | 'urn:hutong:trust:supply:ocsp'
            /**
             * The address.
             */
            uriValue: string
          }[]
          /**
           * Extensions of the service: the profile and the reason of its status.
           */
          ServiceInformationExtensions?: {
            /**
             * What a verifier must know of this authority's certificates.
             */
            HutongCaProfile?: {
              /**
               * Signature algorithms that it issues with, as OIDs; any accepted one if absent.
               */
              Algorithms?: string[]
              /**
               * Signer ID that its SM2 signatures are made with.
               */
              SignerId?: string
              /**
               * Edition of the certificate format.
               */
              Format?: 'RFC5280' | 'GB/T 20518-2018' | 'GM/T 0015-2012' | 'GM/T 0015-2023'
              /**
               * Where the identity of the holder stands; the first that is found counts.
               */
              Holder?: {
                /**
                 * OID of the extension or of the attribute of the subject.
                 */
                Oid: string
                /**
                 * What stands there.
                 */
                Kind: 'uscc' | 'organisation-code' | 'business-licence' | 'identity-number' | 'auto'
                /**
                 * In an extension, in the subject, or in either; either unless said.
                 */
                Where?: 'extension' | 'subject' | 'either'
              }[]
              /**
               * Whether signing and encryption certificates come in pairs.
               */
              Pair?: 'separate' | 'single'
              /**
               * How it says that a certificate is revoked: by lists, or not at all.
               */
              Revocation?: 'crl' | 'none'
            }
            /**
             * Why the service has this status.
             */
            HutongStatusReason?: {
              /**
               * Language of the text (BCP 47).
               */
              lang: string
              /**
               * The text.
               */
              value: string
            }[]
          }[]
        }
        /**
         * Former statuses, the latest first.
         */
        ServiceHistory?: {
          /**
           * Kind of service.
           */
          ServiceTypeIdentifier:
            | 'http://uri.etsi.org/TrstSvc/Svctype/CA/PKC'
            | 'http://uri.etsi.org/TrstSvc/Svctype/TSA'
            | 'urn:hutong:trust:service:root'
            | 'urn:hutong:trust:service:seal-maker'
          /**
           * Name of the service then.
           */
          ServiceName: {
            /**
             * Language of the text (BCP 47).
             */
            lang: string
            /**
             * The text.
             */
            value: string
          }[]
          /**
           * Status of the service.
           */
          ServiceStatus:
            | 'http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/granted'
            | 'urn:hutong:trust:status:suspended'
            | 'http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/withdrawn'
          /**
           * Time from which the status holds, with offset.
           */
          StatusStartingTime: string
          /**
           * Extensions of the service: the profile and the reason of its status.
           */
          ServiceInformationExtensions?: {
            /**
             * What a verifier must know of this authority's certificates.
             */
            HutongCaProfile?: {
              /**
               * Signature algorithms that it issues with, as OIDs; any accepted one if absent.
               */
              Algorithms?: string[]
              /**
               * Signer ID that its SM2 signatures are made with.
               */
              SignerId?: string
              /**
               * Edition of the certificate format.
               */
              Format?: 'RFC5280' | 'GB/T 20518-2018' | 'GM/T 0015-2012' | 'GM/T 0015-2023'
              /**
               * Where the identity of the holder stands; the first that is found counts.
               */
              Holder?: {
                /**
                 * OID of the extension or of the attribute of the subject.
                 */
                Oid: string
                /**
                 * What stands there.
                 */
                Kind: 'uscc' | 'organisation-code' | 'business-licence' | 'identity-number' | 'auto'
                /**
                 * In an extension, in the subject, or in either; either unless said.
                 */
                Where?: 'extension' | 'subject' | 'either'
              }[]
              /**
               * Whether signing and encryption certificates come in pairs.
               */
              Pair?: 'separate' | 'single'
              /**
               * How it says that a certificate is revoked: by lists, or not at all.
               */
              Revocation?: 'crl' | 'none'
            }
            /**
             * Why the service has this status.
             */
            HutongStatusReason?: {
              /**
               * Language of the text (BCP 47).
               */
              lang: string
              /**
               * The text.
               */
              value: string
            }[]
          }[]
        }[]
      }[]
    }[]
  }
}
