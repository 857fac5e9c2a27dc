package bucket

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// openS3 sends only the checksums that S3 requires: others' stores know no more. Where
// there is an endpoint, the bucket is in the path: few others serve one as a host.
func openS3(ctx context.Context, o Options) (*Bucket, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	load := []func(*config.LoadOptions) error{
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.AccessKeyID != "" {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey.Reveal(), "")))
	}
	c, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, err
	}
	if c.Region == "" {
		if o.Endpoint == "" {
			return nil, errors.New("region: is missing; name the bucket's, for example eu-central-1")
		}
		c.Region = "us-east-1" // what others take for any
	}
	client := s3.NewFromConfig(c, func(s *s3.Options) {
		if o.Endpoint != "" {
			s.BaseEndpoint, s.UsePathStyle = aws.String(o.Endpoint), true
		}
	})
	blobs, err := s3blob.OpenBucket(ctx, client, u.Host, &s3blob.Options{RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired})
	if err != nil {
		return nil, err
	}
	b := &Bucket{blobs: blobs, s3: client, name: u.Host}
	if path := strings.Trim(u.Path, "/"); path != "" {
		b.path = path + "/"
		b.blobs = blob.PrefixedBucket(blobs, b.path)
	}
	return b, nil
}

// abort ends uploads of a blob that were begun, and whose parts are paid for.
func (b *Bucket) abort(ctx context.Context, key string) error {
	key = b.path + key
	begun, err := b.s3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.name, Prefix: &key})
	var known interface{ ErrorCode() string }
	if errors.As(err, &known) && known.ErrorCode() == "NoSuchUpload" { // some say so of an empty list
		return nil
	}
	if err != nil {
		return err
	}
	for _, u := range begun.Uploads {
		if aws.ToString(u.Key) != key {
			continue
		}
		if _, more := b.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: u.UploadId}); more != nil {
			err = errors.Join(err, more)
		}
	}
	return err
}
